import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { until } from '../lab/until.ts'
import type { ShowRequest } from '../src/api/types.ts'
import { ask } from '../src/platform/ask.ts'
import { withFormedInNamespaces } from './clusters.ts'
import type { Bench, Findings } from './frame.ts'
import { HOST, withNodeAgent } from './node-agent.ts'
import { type Usage, usageOf } from './usage.ts'

const ROUTES = 10_000
const CHANGES_A_SECOND = 100
/** How often routes are changed, in milliseconds: a batch of `ip` each time. */
const CHURN_MS = 100
/** How long one number is measured, in seconds: as long as the agent's periodic readings take to come twice. */
const WINDOW = 30

export const agent: Bench = {
  usage:
    '  agent [--minutes N]   memory and processor of a real agent: at rest, and with 10,000 routes of which 100/s change',
  async run({ minutes = 2 }, findings) {
    const windows = Math.max(1, Math.round((minutes * 60) / WINDOW))
    await withFormedInNamespaces(async (cluster, _network, inside) => {
      const ip = ipIn(inside)
      await ip([
        'link add swp1 type veth peer name peer1',
        'link set peer1 up',
        'link set swp1 up',
        'addr add 10.200.0.1/24 dev swp1',
      ])
      await withNodeAgent(inside, cluster.folder, cluster.addresses, async (pid) => {
        // The full readings of the start are no rest.
        await delay(10_000)
        await measure('at rest', pid, windows, findings)
        findings.aim('at rest, median', findings.at('processor at rest', 0.5), 1, '% of a core')

        await ip(Array.from({ length: ROUTES }, (_, i) => routeLine('add', i, 1)))
        await until('all routes are shown', 60_000, async () => {
          return (await routesOn(cluster.servers[1]!.paths.netqdSocket)) >= ROUTES
        })
        await measure('10,000 routes', pid, 1, findings)
        const churn = new Churn(inside)
        try {
          await measure('10,000 routes, 100/s change', pid, windows, findings)
        } finally {
          await churn.stop()
        }
        findings.fact(`${churn.changes} routes were changed meanwhile`)
        findings.aim(
          'resident, 10,000 routes, 100/s change, max',
          findings.at('resident 10,000 routes, 100/s change', 1),
          90,
          'MB',
        )
      })
    })
  },
}

async function measure(when: string, pid: number, windows: number, findings: Findings): Promise<void> {
  for (let n = 0; n < windows; n++) {
    const [before, begun] = [usageOf(pid), performance.now()]
    let most = before.residentBytes
    let after: Usage = before
    while (performance.now() - begun < WINDOW * 1000) {
      await delay(500)
      after = usageOf(pid)
      most = Math.max(most, after.residentBytes)
    }
    const seconds = (performance.now() - begun) / 1000
    findings.add(`processor ${when}`, '% of a core', (100 * (after.cpuSeconds - before.cpuSeconds)) / seconds)
    findings.add(`resident ${when}`, 'MB', most / 1e6)
  }
}

async function routesOn(socket: string): Promise<number> {
  const request: ShowRequest = { table: 'route', show: 0, hostname: HOST, args: { count: true, json: true } }
  return (await ask<{ count: number }>(socket, '/v1/show', request)).count
}

const routeLine = (verb: string, i: number, via: number) =>
  `route ${verb} 10.${100 + (i >> 8)}.${i & 255}.0/24 via 10.200.0.${via + 1} dev swp1`

function ipIn(inside: readonly string[]): (lines: readonly string[]) => Promise<void> {
  return async (lines) => {
    const call = promisify(execFile)(inside[0]!, [...inside.slice(1), 'ip', '-batch', '-'])
    call.child.stdin!.end(`${lines.join('\n')}\n`)
    await call
  }
}

/** Routes that get another gateway, one after the other, through an `ip` that stays. */
class Churn {
  changes = 0
  private readonly ip
  private readonly timer: NodeJS.Timeout
  private readonly begun = performance.now()

  constructor(inside: readonly string[]) {
    this.ip = spawn(inside[0]!, [...inside.slice(1), 'ip', '-batch', '-'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    })
    this.timer = setInterval(() => this.change(), CHURN_MS)
  }

  async stop(): Promise<void> {
    clearInterval(this.timer)
    const gone = once(this.ip, 'exit')
    this.ip.stdin.end()
    await gone
  }

  private change(): void {
    const due = Math.floor(((performance.now() - this.begun) / 1000) * CHANGES_A_SECOND)
    for (; this.changes < due; this.changes++) {
      const gateway = 1 + (Math.floor(this.changes / ROUTES) % 2 === 0 ? 1 : 2)
      this.ip.stdin.write(`${routeLine('replace', this.changes % ROUTES, gateway)}\n`)
    }
  }
}
