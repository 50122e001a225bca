import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { newSecrets, type Secrets, secretsFrom, writeSecrets } from '../config/secrets.ts'
import { replaceFile } from '../platform/files.ts'
import { type Log, sentenceOf } from '../platform/log.ts'
import type { Paths } from '../platform/paths.ts'
import type { Services } from '../platform/services.ts'
import { connect } from '../store/connection.ts'
import { closeHoles } from '../store/holes.ts'
import { loadLibrary } from '../store/library.ts'
import { ADMIN, MASTER_NAME, REDIS_PORT } from '../store/names.ts'
import { linkToArchive, moveToArchive } from './archive.ts'
import { call } from './call.ts'
import { handOver } from './hand-over.ts'
import type { LocalConnections } from './local.ts'
import type { PeerClient } from './peers.ts'
import { majorityOf } from './picture.ts'
import { networkRights, type RedisRole, redisConfig, redisMark } from './redis-conf.ts'
import { Restores } from './restores.ts'
import { Retention } from './retention.ts'
import { sentinelMark } from './sentinel-conf.ts'
import { hastenSentinel, startSentinel } from './sentinel-start.ts'
import { isOfOthers } from './settings-mark.ts'
import type { ClusterState } from './state.ts'
import { sendAway } from './strangers.ts'
import type { Action, ClusterList, Refusal, View } from './types.ts'

/** Why a server is the master, where nothing else is known: the Sentinels promoted it. */
export const FAILOVER = 'failover: the master was lost'
/** A Redis that has ended so often while it loaded its data is started again only as often as this, in milliseconds. */
const LOADS_AT_ONCE = 3
const LOAD_AGAIN_MS = 5000
/** How long a replica may take to confirm a new list, in milliseconds: less than any command may take (local.ts). */
const CONFIRM_MS = 400

/** Carries decisions out on this server. Every action may be repeated, and may fail: the loop then decides again. */
export class Actor {
  private readonly paths: Paths
  private readonly address: string | undefined
  private readonly services: Services
  private readonly local: LocalConnections
  private readonly state: ClusterState
  private readonly peers: PeerClient | undefined
  private readonly log: Log
  private readonly retention = new Retention()
  readonly restores: Restores
  secrets: Secrets
  private sentinelStart: Promise<void> | undefined
  /** How often Redis was started since it had last loaded its data, and when last. */
  private unloaded = 0
  private startedAt = 0
  /** The last change that this server refused, as the master. */
  refusal: Refusal | undefined
  /** What was started by another version of this software with other settings, and has not been started since. */
  readonly outdated: Set<'redis' | 'sentinel'>
  /** Why this server is the master, for the history; said once, with the next mark. */
  becameMasterBy: string

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
    // A single server that is the master under another address than before has just been given that.
    this.becameMasterBy = this.state.desired?.formed ? FAILOVER : 'this server was given its address'
    const { redisConfig: redis, sentinelConfig: sentinel } = parts.paths
    this.outdated = new Set([
      ...(isOfOthers(redis, redisMark) ? (['redis'] as const) : []),
      ...(isOfOthers(sentinel, sentinelMark) ? (['sentinel'] as const) : []),
    ])
    this.restores = new Restores(parts)
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
      case 'open':
        this.unloaded = 0
        await (await this.local.redis()).call('ACL', 'SETUSER', 'default', ...networkRights(this.secrets))
        return
      case 'promote':
        return this.promote(action.epoch, view)
      case 'promote-alone':
        await (await this.local.redis()).call('REPLICAOF', 'NO', 'ONE')
        this.becameMasterBy = 'started as a single server'
        return
      case 'settle':
        return this.settle(action.minReplicas)
      case 'start-sentinel':
        return this.sentinelStart ?? this.startSentinel(action.master, action.epoch)
      case 'stop-sentinel':
        await sendAway(
          action.strangers ?? [],
          this.state,
          this.secrets,
          this.required(this.address),
          this.log,
        )
        return this.services.stop('sentinel')
      case 'stop-redis':
        this.unloaded = 0
        return this.services.stop('redis')
      case 'hasten-sentinel':
        return hastenSentinel(this.local)
      case 'ask-failover':
        return this.askFailover(action.of, view)
      case 'fail-over':
        return this.failover(action.from)
      case 'prioritize':
        await (await this.local.redis()).config('SET', 'replica-priority', action.priority)
        return
      case 'switch-over':
        return this.switchOver(action.to)
      case 'finish-switchover':
        await (await this.local.sentinel()).call('SENTINEL', 'FAILOVER', MASTER_NAME)
        this.becameMasterBy = 'switchover'
        return
      case 'commit':
        return this.commit(action.order, action.generation)
      case 'adopt':
        this.state.setDesired({ ...this.state.desired!, order: action.order, generation: action.generation })
        return
      case 'retire':
        return this.retire(action.ended)
      case 'leave':
        this.leave(action.generation)
        return
      case 'put-aside':
      case 'fence':
      case 'drop-restore':
      case 'restore':
        return this.restores.act(action, this.secrets)
      case 'refuse':
        this.refusal = { id: action.id, sentence: action.sentence }
        return
      case 'mark':
        return this.mark(action.roles, view)
    }
  }

  /** Asks `helper`, and has the others look at once: they have to follow whom its Sentinel promotes. */
  private async askFailover(helper: string, view: View): Promise<void> {
    const peers = this.required(this.peers)
    await peers.failover(helper)
    for (const ip of view.peers.keys()) if (ip !== helper) void peers.hurry(ip).catch(() => {})
  }

  /** Has the Sentinel of this server fail over from the master `ip`, which is dead: its own server, or a majority, says so. */
  async failover(ip: string): Promise<void> {
    const sentinel = await this.local.sentinel()
    const [named] = (await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME)) as string[]
    if (named !== ip) throw new Error(`the Sentinel here does not name ${ip} but ${named}`)
    await sentinel.call('SENTINEL', 'FAILOVER', MASTER_NAME)
  }

  private async startRedis(as: 'fenced' | { replicaOf: string }): Promise<void> {
    const now = performance.now()
    if (this.unloaded >= LOADS_AT_ONCE && now - this.startedAt < LOAD_AGAIN_MS)
      throw new Error(
        `Redis has ended ${this.unloaded} times while it loaded its data: see ${this.paths.redisLog}`,
      )
    this.unloaded++
    this.startedAt = now
    const follow: RedisRole['follow'] = as === 'fenced' ? 'nobody' : { ip: as.replicaOf }
    const role = { address: this.address, follow, member: this.state.desired?.formed === true }
    mkdirSync(this.paths.redisData, { recursive: true, mode: 0o750 })
    mkdirSync(this.paths.ctsLogs, { recursive: true })
    replaceFile(this.paths.redisConfig, redisConfig(this.paths, this.secrets, role), 0o600)
    const closed = await closeHoles(this.paths.redisData)
    if (closed > 0)
      this.log.warning(
        `Redis' append only file had ${closed} zeros in it, which a full disk leaves and Redis does not load: they were taken out, nothing is missing`,
      )
    await this.services.start('redis')
    this.outdated.delete('redis')
  }

  private async follow(master: string): Promise<void> {
    const redis = await this.local.redis()
    // A master that gives way may hold what no replica has: it is kept before the other's copy takes its place.
    if (((await redis.call('ROLE')) as string[])[0] === 'master') this.keepCopy(master)
    await redis.call('REPLICAOF', master, REDIS_PORT)
  }

  private keepCopy(master: string): void {
    try {
      this.log.warning(`this server gives way to ${master}; its copy is kept in ${linkToArchive(this.paths)}`)
    } catch (error) {
      // A second master is worse than a copy less.
      this.log.error(`this server gives way to ${master}; its copy could not be kept: ${sentenceOf(error)}`)
    }
  }

  private async form(): Promise<void> {
    const { order } = this.state.desired!
    const clusterId = randomBytes(6).toString('hex')
    this.state.setDesired({ order, clusterId, generation: 1, formed: true })
  }

  /** Becomes a member: what this server held alone is put aside, never thrown away; its Redis starts empty after this. */
  private async join(member: string, view: View): Promise<void> {
    const seen = view.peers.get(member)
    const theirs = seen && 'report' in seen ? seen.report.desired : undefined
    if (!theirs) throw new Error(`${member} does not answer any more`)
    const key = await this.required(this.peers).clusterKey(member)
    await this.services.stop('redis')
    const place = moveToArchive(this.paths)
    if ((view.mine.redis?.applied ?? 0) > 0)
      this.log.warning(`what this server held alone is kept in ${place}`)
    writeSecrets(this.paths, key)
    this.secrets = secretsFrom(key)
    this.local.use(this.secrets)
    this.state.setDesired({ ...theirs, formed: true })
  }

  /** Starts the Sentinel of this server anew, with nothing but the list, the master and the epoch. */
  async renewSentinel(master: string, epoch: number): Promise<void> {
    if (!this.state.desired?.formed) throw new Error('this server is in no cluster')
    await this.startSentinel(master, epoch)
  }

  private async promote(epoch: number, view: View): Promise<void> {
    const peers = [...view.peers.keys()]
    if (!this.state.voteFor(epoch, view.self))
      throw new Error(`this server has voted for another in epoch ${epoch}`)
    const granted = await Promise.all(peers.map((ip) => this.required(this.peers).vote(ip, epoch)))
    const votes = 1 + granted.filter(Boolean).length
    const needed = majorityOf(peers.length + 1)
    if (votes < needed) throw new Error(`${votes} of ${needed} votes for epoch ${epoch}`)
    await (await this.local.redis()).call('REPLICAOF', 'NO', 'ONE')
    this.becameMasterBy = 'election after a full stop'
  }

  private async settle(minReplicas: 0 | 1): Promise<void> {
    const redis = await this.local.redis()
    if (await loadLibrary(redis, this.secrets.prefix)) this.log.info('loaded the function library')
    // The period too: a hand-over that was interrupted leaves it long.
    await redis.config('SET', 'min-replicas-to-write', minReplicas, 'repl-ping-replica-period', 1)
    // A single server that was given its address later has a Redis that was started without it.
    if (this.address !== undefined)
      await redis.config('SET', 'bind-source-addr', this.address, 'replica-announce-ip', this.address)
    const { desired } = this.state
    // Agents follow this list: alone, it is this server; while a cluster is being formed, they stay with what they have.
    const alone = desired?.formed ? '' : (this.address ?? '')
    const servers = minReplicas === 1 && desired ? desired.order.join(' ') : alone
    // A server that ended its cluster keeps its name in the store: agents believe only their own cluster's servers.
    const kept = this.state.left?.order[0] === this.address ? this.state.left : undefined
    const { clusterId, generation } = (desired?.formed ? desired : kept) ?? { clusterId: '', generation: 0 }
    await call(redis, 'netq_cluster', clusterId, String(generation), servers)
  }

  private async switchOver(to: string): Promise<void> {
    const login = { username: ADMIN, password: this.secrets.admin }
    const localAddress = this.required(this.address)
    const successor = await connect({ host: to, port: REDIS_PORT, login, localAddress })
    try {
      await handOver(await this.local.redis(), successor, to)
    } finally {
      successor.disconnect()
    }
    await this.required(this.peers).hurry(to)
  }

  /** Writes the new list to the store; it counts once a replica has it, and every server takes it from there. */
  private async commit(order: readonly string[], generation: number): Promise<void> {
    const redis = await this.local.redis()
    const { desired } = this.state
    const alone = order.length === 1 ? order : []
    // Agents take the list from here: that of before until this server really goes on alone, so that they wait for replicas.
    const servers = alone.length === 1 ? desired!.order : order
    await call(redis, 'netq_cluster', desired!.clusterId, String(generation), servers.join(' '), ...alone)
    if (Number(await redis.call('WAIT', 1, CONFIRM_MS)) < 1)
      throw new Error('no replica confirmed the new list yet')
    if (alone.length === 1) this.leave(generation)
    else this.state.setDesired({ ...desired!, order, generation })
  }

  private leave(generation: number): void {
    const { clusterId } = this.state.desired!
    this.state.leave({ clusterId, generation, order: [this.required(this.address)] })
  }

  /**
   * Leaves the cluster: what it held is put aside, its secrets are given up, and it is a single server again. That it
   * has left is written down last: until then, whatever ends this, it is a member that has to leave.
   */
  private async retire(ended?: ClusterList): Promise<void> {
    await this.services.stop('sentinel')
    await this.services.stop('redis')
    this.log.warning(
      `this server is in the cluster no more; what it held is kept in ${moveToArchive(this.paths)}`,
    )
    this.secrets = newSecrets(this.paths)
    this.local.use(this.secrets)
    this.state.leave(ended)
  }

  /** One at a time: a reset, and the loop, which sees no Sentinel in the middle of it, would stop each other's. */
  private startSentinel(master: string, epoch: number): Promise<void> {
    const start: Promise<void> = (this.sentinelStart ?? Promise.resolve())
      .catch(() => {})
      .then(() => {
        const { order, clusterId } = this.state.desired!
        const watch = { address: this.required(this.address), order, clusterId, master, epoch }
        return startSentinel(this.paths, this.secrets, this.services, this.local, watch)
      })
      .then(() => {
        this.outdated.delete('sentinel')
      })
      .finally(() => {
        if (this.sentinelStart === start) this.sentinelStart = undefined
      })
    this.sentinelStart = start
    return start
  }

  private async mark(roles: Readonly<Record<string, string>>, view: View): Promise<void> {
    const redis = await this.local.redis()
    const epoch = Math.max(view.mine.sentinel?.epoch ?? 0, this.state.vote.epoch)
    const memory = await redis.info('memory')
    const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(memory)?.[1] ?? 0)
    // A backup that is staged makes the store twice as large for a while, which is no reason to forget anything.
    const used = view.mine.redis?.staged ? 0 : field('used_memory')
    const from = this.retention.adapt(used, field('maxmemory'), Date.now())
    const args = [epoch, from.log, from.stats].map(String)
    await call(redis, 'netq_marker', ...args, this.becameMasterBy, ...Object.entries(roles).flat())
  }

  private required<T>(part: T | undefined): T {
    if (part === undefined) throw new Error('this server has no address: set NETQ_ADDRESS')
    return part
  }
}
