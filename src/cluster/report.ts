import { statfs } from 'node:fs/promises'
import type { Redis } from 'ioredis'
import { sentenceOf } from '../platform/log.ts'
import type { Services } from '../platform/services.ts'
import { keysUnder } from '../store/keys.ts'
import { MASTER_NAME } from '../store/names.ts'
import type { LocalConnections } from './local.ts'
import { NOWHERE } from './redis-conf.ts'
import { INFO_PERIOD_MS } from './sentinel-start.ts'
import type { RedisReport, SentinelReport } from './types.ts'

/** The part of a server's report that its processes answer: what is running, and what it says. */
export interface Observed {
  readonly redis?: RedisReport
  /** Set when the process runs but does not answer: then it must not be started a second time. */
  readonly redisProblem?: string
  readonly sentinel?: Omit<SentinelReport, 'noQuorumMs'>
  readonly sentinelProblem?: string
}

export async function observe(
  services: Services,
  local: LocalConnections,
  prefix: string,
): Promise<Observed> {
  const [redis, sentinel] = await Promise.all([
    answerOf(services, 'redis', async () => redisReport(await local.redis(), prefix)),
    answerOf(services, 'sentinel', async () => sentinelReport(await local.sentinel(), local.address)),
  ])
  return {
    ...('value' in redis ? { redis: redis.value } : redis.problem ? { redisProblem: redis.problem } : {}),
    ...('value' in sentinel
      ? sentinel.value && { sentinel: sentinel.value }
      : sentinel.problem
        ? { sentinelProblem: sentinel.problem }
        : {}),
  }
}

async function answerOf<T>(
  services: Services,
  name: 'redis' | 'sentinel',
  ask: () => Promise<T>,
): Promise<{ value: T } | { problem?: string }> {
  if (!(await services.running(name))) return {}
  try {
    return { value: await ask() }
  } catch (error) {
    return { problem: `${name} runs, but ${sentenceOf(error)}` }
  }
}

/** `INFO` as a map of its fields. */
function parseInfo(text: string): Map<string, string> {
  return new Map(
    text
      .split('\r\n')
      .filter((line) => line.includes(':'))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )
}

async function redisReport(redis: Redis, prefix: string): Promise<RedisReport> {
  const keys = keysUnder(prefix)
  const pipeline = redis.pipeline()
  pipeline.info('replication', 'persistence', 'memory', 'clients')
  pipeline.config('GET', 'min-replicas-to-write', 'replica-priority', 'dir')
  pipeline.hmget(
    keys.cluster,
    'marker-epoch',
    'marker-n',
    'marker-time',
    'id',
    'generation',
    'servers',
    'alone',
    'staged',
    'staged-at',
    'ready',
    'fence',
    'restored',
  )
  pipeline.get(keys.applied)
  pipeline.call('ACL', 'GETUSER', 'default')
  const [info, config, cluster, applied, network] = ((await pipeline.exec()) ?? []).map(([error, value]) => {
    // While it loads its data Redis answers INFO and refuses the rest.
    if (error && !error.message.startsWith('LOADING')) throw error
    return error ? undefined : value
  })
  const fields = parseInfo(String(info))
  const number = (name: string) => Number(fields.get(name) ?? 0)
  const master = fields.get('role') === 'master'
  const follows = fields.get('master_host')
  const fenced = follows === NOWHERE.ip && number('master_port') === NOWHERE.port
  const settings = pairs((config as string[] | undefined) ?? [])
  const [epoch, marker, markerTime, clusterId, generation, servers, alone, ...restoring] =
    (cluster as (string | null)[] | undefined) ?? []
  const total = number('master_sync_total_bytes')
  const disk = await statfs(settings.get('dir') ?? '/')
  return {
    role: master ? 'master' : 'replica',
    diskOk: fields.get('aof_last_write_status') !== 'err' && fields.get('rdb_last_bgsave_status') !== 'err',
    ...(master || fenced || follows === undefined ? {} : { follows }),
    load: {
      memoryUsed: number('used_memory'),
      memoryMax: number('maxmemory'),
      aofBytes: number('aof_current_size'),
      diskFree: disk.bavail * disk.bsize,
      diskTotal: disk.blocks * disk.bsize,
      connections: number('connected_clients'),
    },
    linkUp: fields.get('master_link_status') === 'up',
    ...(fields.get('master_link_status') === 'up'
      ? { silentSeconds: number('master_last_io_seconds_ago') }
      : {}),
    everLinked: !master && number('master_link_down_since_seconds') !== -1,
    loading: fields.get('loading') === '1',
    ...(isOff(network as unknown[] | undefined) ? { closed: true } : {}),
    ...(fields.get('master_sync_in_progress') === '1'
      ? { syncing: total > 0 ? Math.floor((100 * number('master_sync_read_bytes')) / total) : 0 }
      : {}),
    offset: number(master ? 'master_repl_offset' : 'slave_repl_offset'),
    replicas: onlineReplicas(fields),
    minReplicas: Number(settings.get('min-replicas-to-write') ?? 0),
    priority: Number(settings.get('replica-priority') ?? 100),
    epoch: Number(epoch ?? 0),
    marker: Number(marker ?? 0),
    markerTime: Number(markerTime ?? 0),
    applied: Number(applied ?? 0),
    clusterId: clusterId ?? '',
    generation: Number(generation ?? 0),
    servers: alone ? [alone] : servers ? servers.split(' ') : [],
    ...restoreReport(restoring),
  }
}

/** Of the answer of ACL GETUSER: `flags`, a list of them, `passwords` ... */
function isOff(user: readonly unknown[] | undefined): boolean {
  return (user?.[user.indexOf('flags') + 1] as string[] | undefined)?.includes('off') === true
}

/** What the store says of restores: the fields as netq_restore writes them. */
function restoreReport([id, at, ready, fence, restored]: readonly (string | null)[]): Pick<
  RedisReport,
  'staged' | 'restored'
> {
  const [, of = '', time, name = ''] = /^(\S+) (\d+) (.*)$/.exec(restored ?? '') ?? []
  return {
    ...(id ? { staged: { id, ready: ready === id, fenced: fence === id, at: Number(at) } } : {}),
    ...(restored ? { restored: { id: of, time: Number(time), name } } : {}),
  }
}

/** `slave0:ip=10.0.0.6,port=6379,state=online,offset=14,lag=0` */
function onlineReplicas(fields: ReadonlyMap<string, string>): RedisReport['replicas'] {
  const replicas = []
  for (const [name, value] of fields) {
    if (!/^slave\d+$/.test(name)) continue
    const of = new Map(value.split(',').map((pair) => pair.split('=') as [string, string]))
    if (of.get('state') !== 'online') continue
    replicas.push({ ip: of.get('ip') ?? '', lag: Number(of.get('lag')), offset: Number(of.get('offset')) })
  }
  return replicas
}

async function sentinelReport(
  sentinel: Redis,
  self: string,
): Promise<Omit<SentinelReport, 'noQuorumMs'> | undefined> {
  const pipeline = sentinel.pipeline()
  pipeline.call('SENTINEL', 'MASTER', MASTER_NAME)
  pipeline.call('SENTINEL', 'CKQUORUM', MASTER_NAME)
  pipeline.info('sentinel')
  pipeline.call('SENTINEL', 'REPLICAS', MASTER_NAME)
  pipeline.call('SENTINEL', 'SENTINELS', MASTER_NAME)
  pipeline.call('SENTINEL', 'DEBUG')
  const [master, quorum, info, replicas, sentinels, periods] = (await pipeline.exec()) ?? []
  // It was told to forget the cluster: a Sentinel that watches nothing is none, and is started anew.
  if (/No such master/.test(master?.[0]?.message ?? '')) return undefined
  if (master?.[0]) throw master[0]
  const of = pairs(master![1] as string[])
  const flags = (of.get('flags') ?? '').split(',')
  const members = (reply: typeof replicas) => ((reply?.[1] as string[][] | undefined) ?? []).map(pairs)
  const usable = members(replicas).filter(
    (replica) => !/s_down|disconnected/.test(replica.get('flags') ?? ''),
  )
  const own = members(replicas)
    .find((replica) => replica.get('ip') === self)
    ?.get('slave-priority')
  const known = [...members(replicas), ...members(sentinels)].map((member) => member.get('ip') ?? '')
  return {
    master: of.get('ip') ?? '',
    epoch: Number(of.get('config-epoch') ?? 0),
    replicas: usable.length,
    others: Number(of.get('num-other-sentinels') ?? 0),
    knows: [...new Set(known)],
    quorum: !quorum?.[0],
    ...(own === undefined ? {} : { ownPriority: Number(own) }),
    ...(Number(pairs((periods?.[1] as string[] | undefined) ?? []).get('INFO-PERIOD')) > INFO_PERIOD_MS
      ? { slow: true }
      : {}),
    tilt: parseInfo(String(info?.[1])).get('sentinel_tilt') === '1',
    failover: flags.includes('failover_in_progress'),
    masterDown: flags.includes('s_down') || flags.includes('o_down'),
  }
}

function pairs(flat: readonly string[]): Map<string, string> {
  const map = new Map<string, string>()
  for (let i = 0; i + 1 < flat.length; i += 2) map.set(flat[i]!, flat[i + 1]!)
  return map
}
