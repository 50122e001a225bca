import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { type Secrets, secretsFrom, writeSecrets } from '../config/secrets.ts'
import { readIfThere, replaceFile } from '../platform/files.ts'
import type { Log } from '../platform/log.ts'
import type { Paths } from '../platform/paths.ts'
import type { Services } from '../platform/services.ts'
import { loadLibrary } from '../store/library.ts'
import { MASTER_NAME, REDIS_PORT } from '../store/names.ts'
import type { LocalConnections } from './local.ts'
import type { PeerClient } from './peers.ts'
import { type RedisRole, redisConfig } from './redis-conf.ts'
import { sentinelConfig, votedEpochIn } from './sentinel-conf.ts'
import type { ClusterState } from './state.ts'
import type { Action, View } from './types.ts'

/** The log of changes is kept this long, in milliseconds, while memory allows. */
const KEEP_LOG_MS = 24 * 3600 * 1000
/** Past this share of maxmemory the log is shortened, so that the state of now always has room. */
const LOG_MEMORY_SHARE = 0.75

/** Carries decisions out on this server. Every action may be repeated, and may fail: the loop then decides again. */
export class Actor {
  private readonly paths: Paths
  private readonly address: string | undefined
  private readonly services: Services
  private readonly local: LocalConnections
  private readonly state: ClusterState
  private readonly peers: PeerClient | undefined
  private readonly log: Log
  private keepLogMs = KEEP_LOG_MS
  secrets: Secrets

  constructor(parts: {
    paths: Paths
    address: string | undefined
    services: Services
    local: LocalConnections
    state: ClusterState
    peers: PeerClient | undefined
    secrets: Secrets
    log: Log
  }) {
    this.paths = parts.paths
    this.address = parts.address
    this.services = parts.services
    this.local = parts.local
    this.state = parts.state
    this.peers = parts.peers
    this.secrets = parts.secrets
    this.log = parts.log
  }

  /** Rejects with one sentence if it could not be done. */
  async act(action: Action, view: View): Promise<void> {
    switch (action.do) {
      case 'nothing':
        return
      case 'start-redis':
        return this.startRedis(action.as)
      case 'follow':
        return this.follow(action.master)
      case 'form':
        return this.form()
      case 'join':
        return this.join(action.member, view)
      case 'promote':
        return this.promote(action.epoch, view)
      case 'settle':
        return this.settle(action.minReplicas)
      case 'start-sentinel':
        return this.startSentinel(action.master, action.epoch)
      case 'stop-sentinel':
        return this.services.stop('sentinel')
      case 'ask-failover':
        return this.required(this.peers).failover(action.of)
      case 'mark':
        return this.mark(action.roles, view)
    }
  }

  /** Has the Sentinel of this server fail over from the master `ip`, on the word of that server that it is dead. */
  async failover(ip: string): Promise<void> {
    const sentinel = await this.local.sentinel()
    const [named] = (await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME)) as string[]
    if (named !== ip) throw new Error(`the Sentinel here does not name ${ip} but ${named}`)
    await sentinel.call('SENTINEL', 'FAILOVER', MASTER_NAME)
  }

  private async startRedis(as: 'master' | 'fenced' | { replicaOf: string }): Promise<void> {
    const follow: RedisRole['follow'] =
      as === 'master' ? 'nobody, as the master' : as === 'fenced' ? 'nobody, fenced' : { ip: as.replicaOf }
    const role = { address: this.address, follow, member: this.state.desired?.formed === true }
    mkdirSync(this.paths.redisData, { recursive: true, mode: 0o750 })
    mkdirSync(this.paths.ctsLogs, { recursive: true })
    replaceFile(this.paths.redisConfig, redisConfig(this.paths, this.secrets, role), 0o600)
    await this.services.start('redis')
  }

  private async follow(master: string): Promise<void> {
    const redis = await this.local.redis()
    await redis.call('REPLICAOF', master, REDIS_PORT)
  }

  private async form(): Promise<void> {
    const { order } = this.state.desired!
    const clusterId = this.secrets.prefix.split(':')[1]!.slice(0, 12)
    this.state.setDesired({ order, clusterId, formed: true })
  }

  /** Becomes a member: what this server held alone is put aside, never thrown away; its Redis starts empty after this. */
  private async join(member: string, view: View): Promise<void> {
    const seen = view.peers.get(member)
    const theirs = seen && 'report' in seen ? seen.report.desired : undefined
    if (!theirs) throw new Error(`${member} does not answer any more`)
    const key = await this.required(this.peers).clusterKey(member)
    await this.services.stop('redis')
    const place = this.archive()
    if ((view.mine.redis?.applied ?? 0) > 0)
      this.log.warning(`what this server held alone is kept in ${place}`)
    writeSecrets(this.paths, key)
    this.secrets = secretsFrom(key)
    this.local.use(this.secrets)
    this.state.setDesired({ order: theirs.order, clusterId: theirs.clusterId, formed: true })
  }

  /** @returns where the data went */
  private archive(): string {
    const place = join(this.paths.archive, `redis_${new Date().toISOString().replace(/[:.]/g, '')}`)
    mkdirSync(this.paths.archive, { recursive: true, mode: 0o750 })
    if (existsSync(this.paths.redisData)) renameSync(this.paths.redisData, place)
    return place
  }

  private async promote(epoch: number, view: View): Promise<void> {
    const peers = [...view.peers.keys()]
    if (!this.state.voteFor(epoch, view.self))
      throw new Error(`this server has voted for another in epoch ${epoch}`)
    const granted = await Promise.all(peers.map((ip) => this.required(this.peers).vote(ip, epoch)))
    const votes = 1 + granted.filter(Boolean).length
    const needed = Math.floor((peers.length + 1) / 2) + 1
    if (votes < needed) throw new Error(`${votes} of ${needed} votes for epoch ${epoch}`)
    await (await this.local.redis()).call('REPLICAOF', 'NO', 'ONE')
  }

  private async settle(minReplicas: 0 | 1): Promise<void> {
    const redis = await this.local.redis()
    if (await loadLibrary(redis, this.secrets.prefix)) this.log.info('loaded the function library')
    await redis.config('SET', 'min-replicas-to-write', minReplicas)
    const { desired } = this.state
    const servers = minReplicas === 1 && desired ? desired.order.join(' ') : ''
    await call(redis, 'netq_cluster', desired?.formed ? desired.clusterId : '', servers)
  }

  private async startSentinel(master: string, epoch: number): Promise<void> {
    const { order, clusterId } = this.state.desired!
    const votedEpoch = votedEpochIn(readIfThere(this.paths.sentinelConfig))
    const watch = { address: this.address!, order, clusterId, master, epoch, votedEpoch }
    replaceFile(this.paths.sentinelConfig, sentinelConfig(this.paths, this.secrets, watch), 0o600)
    await this.services.start('sentinel')
  }

  private async mark(roles: Readonly<Record<string, string>>, view: View): Promise<void> {
    const redis = await this.local.redis()
    const epoch = Math.max(view.mine.sentinel?.epoch ?? 0, this.state.vote.epoch)
    const memory = await redis.info('memory')
    const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(memory)?.[1] ?? 0)
    const full = field('used_memory') > LOG_MEMORY_SHARE * field('maxmemory')
    this.keepLogMs = full ? this.keepLogMs * 0.9 : Math.min(KEEP_LOG_MS, this.keepLogMs * 1.1)
    const keepFrom = String(Math.floor(Date.now() - this.keepLogMs))
    await call(redis, 'netq_marker', String(epoch), keepFrom, ...Object.entries(roles).flat())
  }

  private required<T>(part: T | undefined): T {
    if (part === undefined) throw new Error('this server has no address: set NETQ_ADDRESS')
    return part
  }
}

async function call(redis: Redis, name: string, ...args: string[]): Promise<unknown> {
  try {
    return await redis.call('FCALL', name, 0, ...args)
  } catch (error) {
    if (/^NOREPLICAS/.test((error as Error).message)) {
      throw new Error(
        'no replica is connected: the master takes no writes, so that there are never two masters',
      )
    }
    throw error
  }
}
