import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { type Secrets, secretsFrom } from '../config/secrets.ts'
import { type Paths, pathsUnder } from '../platform/paths.ts'
import { ADMIN, MASTER_NAME, REDIS_PORT, SENTINEL, SENTINEL_PORT } from '../store/names.ts'
import { digest } from './redis-conf.ts'
import { markOf } from './settings-mark.ts'

/**
 * How long a master must not answer until a Sentinel holds it for lost, in milliseconds: longer than a process may stand
 * still on a machine that is busy. A master that is really gone is found out by the servers, and sooner (master-watch.ts).
 */
const DOWN_AFTER_MS = 3000
/** After an attempt or a vote the next failover comes after twice this time, in milliseconds: a second loss waits. */
const FAILOVER_TIMEOUT_MS = 4000

export interface Watch {
  readonly address: string
  readonly order: readonly string[]
  readonly clusterId: string
  readonly master: string
  /** The epoch in which this master was chosen. */
  readonly epoch: number
  /** The last epoch in which the Sentinel here gave its vote: it must not vote twice in one. */
  readonly votedEpoch: number
}

/**
 * The whole of snt1.conf, written anew before every start: the membership comes from the operator's list, not from
 * what the Sentinel once heard, so that none that is gone stays known and a damaged file does no harm.
 */
export function sentinelConfig(paths: Paths, secrets: Secrets, watch: Watch): string {
  return `# Written by cts-auth at every start of the Sentinel, and by the Sentinel while it runs.\n${sentinelMark}\n${settings(paths, secrets, watch)}`
}

function settings(paths: Paths, secrets: Secrets, watch: Watch): string {
  const { address, order, master, epoch } = watch
  const others = order.filter((ip) => ip !== address)
  const replicas = order.filter((ip) => ip !== master)
  const name = MASTER_NAME
  return `${[
    `port ${SENTINEL_PORT}`,
    `bind ${address}`,
    `bind-source-addr ${address}`,
    'protected-mode no',
    'daemonize no',
    `dir ${dirname(paths.sentinelConfig)}`,
    `logfile ${paths.sentinelLog}`,
    // Anyone on the network may ask who the master is, and nothing else.
    'user default reset on nopass resetchannels -@all +ping +sentinel|get-master-addr-by-name',
    `user ${ADMIN} reset on #${digest(secrets.admin)} ~* &* +@all`,
    `user ${SENTINEL} reset on #${digest(secrets.sentinel)} ~* &* +@all`,
    `sentinel sentinel-user ${SENTINEL}`,
    `sentinel sentinel-pass ${secrets.sentinel}`,
    `sentinel myid ${sentinelId(watch.clusterId, address)}`,
    `sentinel announce-ip ${address}`,
    `sentinel announce-port ${SENTINEL_PORT}`,
    'sentinel resolve-hostnames no',
    'sentinel deny-scripts-reconfig yes',
    `sentinel monitor ${name} ${master} ${REDIS_PORT} 2`,
    `sentinel down-after-milliseconds ${name} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${name} ${FAILOVER_TIMEOUT_MS}`,
    `sentinel parallel-syncs ${name} 1`,
    `sentinel auth-user ${name} ${SENTINEL}`,
    `sentinel auth-pass ${name} ${secrets.sentinel}`,
    `sentinel config-epoch ${name} ${epoch}`,
    `sentinel leader-epoch ${name} ${Math.max(epoch, watch.votedEpoch)}`,
    ...replicas.map((ip) => `sentinel known-replica ${name} ${ip} ${REDIS_PORT}`),
    ...others.map(
      (ip) => `sentinel known-sentinel ${name} ${ip} ${SENTINEL_PORT} ${sentinelId(watch.clusterId, ip)}`,
    ),
    `sentinel current-epoch ${Math.max(epoch, watch.votedEpoch)}`,
  ].join('\n')}\n`
}

/** The settings of this version, whatever the server and its cluster; see isOfOthers. */
export const sentinelMark = markOf(
  settings(pathsUnder('/'), secretsFrom(''), {
    address: '0.0.0.0',
    order: [],
    clusterId: '',
    master: '0.0.0.0',
    epoch: 0,
    votedEpoch: 0,
  }),
  'netq-sentinel.service',
)

/**
 * An epoch of the Sentinel that wrote this file: in which its master was chosen (config), or in which it gave its last
 * vote (leader); 0 if the file does not say.
 */
export function epochIn(config: string | undefined, which: 'config-epoch' | 'leader-epoch'): number {
  return Number(new RegExp(`^sentinel ${which} \\S+ (\\d+)`, 'm').exec(config ?? '')?.[1] ?? 0)
}

/** A Sentinel's identity, the same on every start and known to the others without asking. 40 hex digits. */
function sentinelId(clusterId: string, address: string): string {
  return createHash('sha1').update(`${clusterId} ${address}`).digest('hex')
}
