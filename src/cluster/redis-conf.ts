import { createHash } from 'node:crypto'
import { totalmem } from 'node:os'
import { type Secrets, secretsFrom } from '../config/secrets.ts'
import { type Paths, pathsUnder } from '../platform/paths.ts'
import { ADMIN, NOTIFIER, READER, REDIS_PORT, REPLICA, SENTINEL } from '../store/names.ts'
import { markOf } from './settings-mark.ts'

/** Where a fenced Redis looks for its master: nobody listens on port 1, so it stays a replica of nobody. */
export const NOWHERE = { ip: '127.0.0.1', port: 1 } as const

export interface RedisRole {
  /** The server's own address; undefined before it has one (a single server listens on all). */
  readonly address: string | undefined
  /** A Redis is never started as a master: the one that is to be it is promoted once it is up. */
  readonly follow: 'nobody' | { readonly ip: string }
  readonly member: boolean
}

/**
 * The whole of redis_6379.conf, written anew before every start; what CONFIG REWRITE adds while it runs lives until
 * then. The values are those measured in docs/decisions/redis-settings.md.
 */
export function redisConfig(paths: Paths, secrets: Secrets, role: RedisRole): string {
  return `# Written by cts-auth at every start of Redis; a change made here does not last.\n${redisMark}\n${settings(paths, secrets, role)}`
}

function settings(paths: Paths, secrets: Secrets, role: RedisRole, memory = totalmem()): string {
  const { address, follow } = role
  const lines = [
    `port ${REDIS_PORT}`,
    // The programs of this server use the loopback: they need not know its address.
    address ? `bind ${address}${address.startsWith('127.') ? '' : ' 127.0.0.1'}` : 'bind * -::*',
    ...(address ? [`bind-source-addr ${address}`, `replica-announce-ip ${address}`] : []),
    `replica-announce-port ${REDIS_PORT}`,
    // The network's user is limited by its rights, not by where it comes from.
    'protected-mode no',
    'daemonize no',
    `dir ${paths.redisData}`,
    `logfile ${paths.redisLog}`,
    'save ""',
    'appendonly yes',
    'appendfsync everysec',
    `min-replicas-to-write ${role.member ? 1 : 0}`,
    'min-replicas-max-lag 3',
    'replica-priority 100',
    'replica-serve-stale-data yes',
    'repl-backlog-size 256mb',
    'repl-diskless-sync yes',
    'repl-diskless-sync-delay 0',
    'repl-diskless-load disabled',
    'repl-timeout 20',
    'repl-ping-replica-period 1',
    'client-output-buffer-limit replica 1gb 512mb 120',
    'tcp-keepalive 30',
    `maxmemory ${Math.floor(memory / 2)}`,
    'maxmemory-policy noeviction',
    'maxclients 10000',
    'shutdown-timeout 10',
    `masteruser ${REPLICA}`,
    `masterauth ${secrets.replica}`,
    ...redisUsers(secrets).map((user) => `user ${user}`),
  ]
  if (follow === 'nobody') lines.push(`replicaof ${NOWHERE.ip} ${NOWHERE.port}`)
  else lines.push(`replicaof ${follow.ip} ${REDIS_PORT}`)
  return `${lines.join('\n')}\n`
}

/** The settings of this version, whatever the server and its role; see isOfOthers. */
export const redisMark = markOf(
  settings(pathsUnder('/'), secretsFrom(''), { address: undefined, follow: 'nobody', member: false }, 0),
  'netq-redis.service',
)

/** Everyone on the network, once Redis has loaded: through the functions only. They run with the caller's rights (netq.lua says more). */
export function networkRights({ prefix }: Secrets): string[] {
  const rights = `reset on nopass resetchannels -@all +ping +wait +role +fcall +fcall_ro +time +hget +hmget +hset +hdel +hkeys +hgetall +incr +sadd +srem +smembers +sismember +del +xadd %RW~${prefix}d:* %R~${prefix}c:*`
  return rights.split(' ')
}

/** Who may do what, as arguments of ACL SETUSER. Passwords are given as digests. */
function redisUsers(secrets: Secrets): string[] {
  return [
    // What several writes of a function left in the append only file is loaded with the rights of this user, and what it
    // may not is left out without a word (7.0.15, measured): the marks, and all of a restore. So nobody is this user and
    // it may everything, until the data are loaded.
    'default reset off ~* &* +@all',
    `${ADMIN} reset on #${digest(secrets.admin)} ~* &* +@all`,
    `${READER} reset on #${digest(secrets.reader)} %R~${secrets.prefix}* -@all +@read +@connection +info +role -keys`,
    // What netq_observe, netq_notified and netq_settings need, and reading.
    `${NOTIFIER} reset on #${digest(secrets.notifier)} ~${secrets.prefix}* resetchannels -@all +@read -keys +@connection +role +info +wait +time +fcall +hset +hdel +xadd`,
    `${REPLICA} reset on #${digest(secrets.replica)} resetchannels -@all +psync +replconf +ping`,
    `${SENTINEL} reset on #${digest(secrets.sentinel)} resetchannels &__sentinel__:hello -@all +multi +exec +slaveof +config|rewrite +client|setname +client|kill +script|kill +ping +info +publish +subscribe`,
  ]
}

export function digest(password: string): string {
  return createHash('sha256').update(password).digest('hex')
}
