import { ago } from '../text/duration.ts'
import { textTable } from '../text/table.ts'
import { lacksQuorum, namedBySentinels } from './picture.ts'
import type { Seen, ServerReport } from './types.ts'

/** One line of `netq config ts show server`. */
export interface ServerLine {
  readonly server: string
  readonly role: string
  readonly master: string
  readonly replicas: readonly string[]
  readonly status: string
  /** When the server took this role, by the then master's clock, ms since the epoch; undefined if not known here. */
  readonly since?: number
}

/** What the lines are made from: this server's report, its peers', and the roles with their times from the local store. */
export interface ServersSeen {
  readonly mine: ServerReport
  readonly peers: ReadonlyMap<string, Seen>
  readonly roles: ReadonlyMap<string, { readonly role: string; readonly since: number }>
  readonly now: number
}

/** Past this age of the master's mark its copy here is not the state of now, in milliseconds. */
const STALE_MARK_MS = 5000

export function serverLines({ mine, peers, roles, now }: ServersSeen): ServerLine[] {
  const order = mine.desired?.order ?? [mine.ip]
  const reports = new Map<string, ServerReport>([[mine.ip, mine]])
  for (const [ip, seen] of peers) if ('report' in seen) reports.set(ip, seen.report)
  const formed = mine.desired?.formed === true
  const master = formed ? masterOf(reports) : undefined
  // By address, as on the page: a line stays where it is when the master changes.
  return [...order].sort(byAddress).map((ip) => {
    const report = reports.get(ip)
    const redis = report?.redis
    const role = formed ? roleOf(ip, report, master) : (redis?.role ?? 'unknown')
    const known = roles.get(ip)
    return {
      server: ip,
      role,
      master: (role === 'master' ? ip : (redis?.follows ?? master)) ?? '-',
      replicas:
        role === 'master' && redis ? order.filter((other) => redis.replicas.some((r) => r.ip === other)) : [],
      status: report
        ? statusOf(report, { servers: order.length, master, now })
        : `unreachable: ${(peers.get(ip) as { unreachable: string } | undefined)?.unreachable ?? 'not asked yet'}`,
      ...(known?.role === role ? { since: known.since } : {}),
    }
  })
}

function byAddress(a: string, b: string): number {
  const number = (ip: string) => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  return number(a) - number(b)
}

/** The page's table. */
export function serversText(lines: readonly ServerLine[], now: number): string {
  return textTable(
    ['Server', 'Role', 'Master', 'Replicas', 'Status', 'Last Changed'],
    lines.map((line) => [
      line.server,
      line.role,
      line.master,
      line.replicas.join(', ') || '-',
      line.status,
      line.since === undefined ? '-' : ago(now - line.since),
    ]),
  )
}

/** The JSON of the same: times are seconds since the epoch. */
export function serversJson(lines: readonly ServerLine[]): object {
  return {
    servers: lines.map(({ since, ...rest }) => ({
      ...rest,
      lastChanged: since === undefined ? null : since / 1000,
    })),
  }
}

/**
 * The detail of one server, a line each, in the order in which an operator asks.
 * @param agents what the store says of the agents and their spools, if it answers
 */
export function serverDetail(
  line: ServerLine,
  seen: Seen,
  now: number,
  agents: string | undefined,
): [string, string][] {
  const rows: [string, string][] = [
    ['Server', line.server],
    ['Role', line.role],
    ['Master', line.master],
    ['Replicas', line.replicas.join(', ') || '-'],
    ['Status', line.status],
    ['Last Changed', line.since === undefined ? '-' : ago(now - line.since)],
    ...(agents === undefined ? [] : [['Agents', agents] as [string, string]]),
  ]
  if (!('report' in seen)) return rows
  const { redis, sentinel, redisProblem, sentinelProblem, fingerprint, version, desired } = seen.report
  rows.push(['Version', version], ['Fingerprint', fingerprint])
  rows.push(['Configured servers', desired?.order.join(' ') ?? 'none (HA is off)'])
  if (redis) {
    rows.push(
      [
        'Redis',
        redis.role === 'master'
          ? 'master'
          : redis.follows
            ? `replica of ${redis.follows}`
            : 'fenced (a replica of nobody)',
      ],
      ['Link to the master', redis.role === 'master' ? '-' : redis.linkUp ? 'up' : 'down'],
      ['Replication offset', String(redis.offset)],
      [
        'Replicas online',
        redis.replicas.map((r) => `${r.ip} (lag ${r.lag} s, offset ${r.offset})`).join(', ') || '-',
      ],
      ['Replicas required for writes', String(redis.minReplicas)],
      ['Epoch, mark', `${redis.epoch}, ${redis.marker}`],
      ['Age of the last mark', redis.markerTime === 0 ? '-' : ago(now - redis.markerTime)],
      ['Batches applied', String(redis.applied)],
    )
    if (redis.load) {
      const { memoryUsed, memoryMax, aofBytes, diskFree, diskTotal, connections } = redis.load
      const disk = redis.diskOk ? 'ok' : 'the last write failed'
      rows.push(
        ['Memory', `${mebibytes(memoryUsed)} of ${mebibytes(memoryMax)}`],
        ['Persistence', `append-only file of ${mebibytes(aofBytes)}, ${disk}`],
        ['Disk', `${mebibytes(diskFree)} of ${mebibytes(diskTotal)} free`],
        ['Connections', String(connections)],
      )
    }
  } else rows.push(['Redis', redisProblem ?? 'not running'])
  if (sentinel) {
    rows.push(
      ['Sentinel', `watches ${sentinel.master}, epoch ${sentinel.epoch}`],
      ['Sentinel knows', `${sentinel.replicas} replicas, ${sentinel.others} other Sentinels`],
      ['Quorum', sentinel.quorum ? 'ok' : 'not reached'],
    )
  } else rows.push(['Sentinel', sentinelProblem ?? 'not running'])
  return rows
}

const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`

/**
 * The master: what a majority of Sentinels names, else the only one that says it is. In a failover the Sentinels name the
 * lost one for up to a second more; who has a replica is the master by then.
 */
function masterOf(reports: ReadonlyMap<string, ServerReport>): string | undefined {
  const members = new Map([...reports].filter(([, r]) => r.desired?.formed))
  const masters = [...members.values()].filter((r) => r.redis?.role === 'master')
  const named = namedBySentinels(members)?.ip
  if (masters.some((r) => r.ip === named)) return named
  const only = masters.length === 1 ? masters[0] : undefined
  const lostOne = named !== undefined && !members.has(named)
  if (only && (!lostOne || only.redis!.replicas.length > 0)) return only.ip
  return named
}

function roleOf(ip: string, report: ServerReport | undefined, master: string | undefined): string {
  if (report?.redis?.role === 'master') return 'master'
  if (report?.redis) return 'replica'
  return master === undefined ? 'unknown' : ip === master ? 'master' : 'replica'
}

function statusOf(
  { redis, sentinel, redisProblem, sentinelProblem, desired }: ServerReport,
  cluster: { servers: number; master: string | undefined; now: number },
): string {
  if (!desired && cluster.servers > 1) return 'not configured'
  if (!redis) return redisProblem ? 'Redis does not answer' : 'Redis is down'
  if (redis.loading) return 'loading'
  if (!redis.diskOk)
    return redis.role === 'master' ? 'no writes: disk full or failing' : 'disk full or failing'
  if (cluster.servers === 1) return redis.role === 'master' ? 'ok' : 'starting'
  if (!desired?.formed) return 'waiting'
  if (redis.role === 'replica') {
    if (redis.syncing !== undefined) return `syncing ${redis.syncing}%`
    if (redis.follows === undefined) return 'fenced'
    if (!redis.linkUp) return 'link down'
    if (cluster.master !== undefined && redis.follows !== cluster.master)
      return `follows ${redis.follows}, not the master`
    if (cluster.now - redis.markerTime > STALE_MARK_MS) return 'stale'
  } else if (redis.replicas.length < redis.minReplicas) return 'no writes: no replica'
  else if (cluster.now - redis.markerTime > STALE_MARK_MS) return 'no writes'
  if (!sentinel) return sentinelProblem ? 'Sentinel does not answer' : 'Sentinel is down'
  if (sentinel.tilt) return 'tilt'
  if (sentinel.others > cluster.servers - 1) return 'stale sentinel'
  if (lacksQuorum(sentinel)) return 'no quorum'
  return 'ok'
}
