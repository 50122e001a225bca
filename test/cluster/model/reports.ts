import type { RedisReport, Seen, SentinelReport, ServerReport, View } from '../../../src/cluster/types.ts'

export const [A, B, C, D] = ['10.0.0.5', '10.0.0.6', '10.0.0.7', '10.0.0.8'] as const
export const ORDER: readonly string[] = [A, B, C]
export const CLUSTER = 'cluster'

/** A field that is given as undefined is left out. */
type Parts<T> = { [K in keyof T]?: T[K] | undefined }

function put<T extends object>(defaults: T, parts: Parts<T>): T {
  return Object.fromEntries(
    Object.entries({ ...defaults, ...parts }).filter(([, value]) => value !== undefined),
  ) as T
}

export function redis(parts: Parts<RedisReport> = {}): RedisReport {
  return put<RedisReport>(
    {
      role: 'replica',
      linkUp: false,
      everLinked: false,
      loading: false,
      diskOk: true,
      offset: 0,
      replicas: [],
      minReplicas: 1,
      epoch: 1,
      marker: 10,
      markerTime: 0,
      applied: 5,
      clusterId: CLUSTER,
      generation: 1,
      servers: ORDER,
      priority: 100,
    },
    parts,
  )
}

export const online = (...ips: readonly string[]) => ips.map((ip) => ({ ip, lag: 0, offset: 100 }))
export const asMaster = (parts: Parts<RedisReport> = {}) =>
  redis({ role: 'master', replicas: online(B, C), ...parts })
export const following = (ip: string, parts: Parts<RedisReport> = {}) =>
  redis({ follows: ip, linkUp: true, everLinked: true, ...parts })
/** The link to `ip` was there and is not any more. */
export const lost = (ip: string, parts: Parts<RedisReport> = {}) => following(ip, { linkUp: false, ...parts })

export function sentinel(master: string, parts: Parts<SentinelReport> = {}): SentinelReport {
  return put<SentinelReport>(
    {
      master,
      epoch: 1,
      replicas: 2,
      others: 2,
      knows: ORDER,
      quorum: true,
      noQuorumMs: 0,
      tilt: false,
      failover: false,
      masterDown: false,
    },
    parts,
  )
}

/** A member of the cluster of A, B and C, unless told otherwise. */
export function member(ip: string, parts: Parts<ServerReport> = {}): ServerReport {
  return put<ServerReport>(
    {
      ip,
      version: '1',
      fingerprint: ip,
      doing: 'its work',
      greets: [],
      voted: 0,
      desired: { order: ORDER, clusterId: CLUSTER, generation: 1, formed: true },
    },
    parts,
  )
}

/** A server that has a list and is in no cluster yet. */
export function told(ip: string, order: readonly string[], parts: Parts<ServerReport> = {}): ServerReport {
  const desired = { order, clusterId: '', generation: 0, formed: false }
  const alone = asMaster({ replicas: [], minReplicas: 0, clusterId: '', generation: 0, servers: [] })
  return member(ip, { desired, redis: alone, ...parts })
}

/** What the first of the reports sees when the rest answer, and `away` do not. */
export function view(
  [mine, ...others]: readonly [ServerReport, ...ServerReport[]],
  parts: Parts<View> & { away?: readonly string[] } = {},
): View {
  const { away = [], ...rest } = parts
  const peers = new Map<string, Seen>(others.map((report) => [report.ip, { report }]))
  for (const ip of away) peers.set(ip, { unreachable: `cts-auth on ${ip} is not running` })
  return put<View>(
    {
      self: mine.ip,
      mine,
      peers,
      leaderlessMs: 0,
      rivalMs: 0,
      sinceSentinelRestartMs: 3_600_000,
      restartedFor: [],
      strayMs: 0,
      settled: true,
    },
    rest,
  )
}

/** Three healthy members, `master` being the master; `changed` replaces what is not healthy. */
export function healthy(master: string, changed: Record<string, Parts<ServerReport>> = {}) {
  const reports = ORDER.map((ip) => {
    const own =
      ip === master
        ? asMaster({ replicas: online(...ORDER.filter((other) => other !== ip)) })
        : following(master)
    return member(ip, { redis: own, sentinel: sentinel(master), ...changed[ip] })
  })
  return (self: string): [ServerReport, ...ServerReport[]] => [
    reports.find(({ ip }) => ip === self)!,
    ...reports.filter(({ ip }) => ip !== self),
  ]
}
