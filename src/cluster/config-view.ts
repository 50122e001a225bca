import { textTable } from '../text/table.ts'
import type { Seen, ServerReport } from './types.ts'

/** One line of `netq config ts show server config`: what was asked for, against what is. */
export interface ConfigLine {
  readonly server: string
  readonly configured: readonly string[]
  readonly generation: number | null
  readonly actual: string
  readonly sentinel: string
  /** What the server's control loop is doing about the difference, or that there is none. */
  readonly doing: string
}

export function configLines(mine: ServerReport, peers: ReadonlyMap<string, Seen>): ConfigLine[] {
  const order = mine.desired?.order ?? [mine.ip]
  return order.map((ip) => {
    const seen: Seen | undefined = ip === mine.ip ? { report: mine } : peers.get(ip)
    if (!seen || !('report' in seen)) {
      const doing = `unreachable: ${seen?.unreachable ?? 'not asked yet'}`
      return { server: ip, configured: [], generation: null, actual: '-', sentinel: '-', doing }
    }
    const { desired, redis, sentinel, redisProblem, sentinelProblem, doing } = seen.report
    return {
      server: ip,
      configured: desired?.order ?? [],
      generation: desired?.formed ? desired.generation : null,
      actual: !redis
        ? (redisProblem ?? 'Redis is not running')
        : redis.role === 'master'
          ? 'master'
          : `replica of ${redis.follows ?? 'nobody'}`,
      sentinel: sentinel ? `watches ${sentinel.master}` : (sentinelProblem ?? 'not running'),
      doing,
    }
  })
}

export function configText(lines: readonly ConfigLine[]): string {
  return textTable(
    ['Server', 'Configured', 'Generation', 'Actual', 'Sentinel', 'Doing'],
    lines.map((line) => [
      line.server,
      line.configured.join(' ') || '-',
      line.generation === null ? '-' : String(line.generation),
      line.actual,
      line.sentinel,
      line.doing,
    ]),
  )
}
