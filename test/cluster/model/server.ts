import type { Desired, Proposal, RedisReport, Seen, ServerReport } from '../../../src/cluster/types.ts'
import { ModelController } from './controller.ts'
import { type Copy, EMPTY, ModelRedis } from './redis.ts'
import type { ModelSentinel } from './sentinel.ts'
import type { World } from './world.ts'

/** As in master-watch.ts. */
const SILENT_MS = 600

/** What is on a server's disk: all that outlives its processes. */
export interface Disk {
  /** Which machine this is to the others; a new one after the disk was lost. */
  readonly identity: string
  key: string
  desired: Desired | undefined
  proposal: Proposal | undefined
  vote: { epoch: number; to: string }
  sentinelVoted: number
  data: Copy
  readonly pins: Map<string, string>
  readonly suspects: Map<string, string>
}

/** One server: its disk, its processes, and what it answers to the others. */
export class ModelServer {
  readonly ip: string
  readonly world: World
  up = true
  /** How often a replication step of its Redis does not come about: 0 never, 1 always. */
  lag = 0
  disk: Disk
  redis: ModelRedis | undefined
  sentinel: ModelSentinel | undefined
  controller: ModelController | undefined
  private identities = 0
  private silentSince: number | undefined

  constructor(world: World, ip: string) {
    this.world = world
    this.ip = ip
    this.disk = this.newDisk()
    this.controller = new ModelController(this)
  }

  private newDisk(): Disk {
    this.identities += 1
    const identity = `${this.ip}#${this.identities}`
    return {
      identity,
      key: `key of ${identity}`,
      desired: undefined,
      proposal: undefined,
      vote: { epoch: 0, to: '' },
      sentinelVoted: 0,
      data: EMPTY,
      pins: new Map(),
      suspects: new Map(),
    }
  }

  /** As a replica: of `follows`, or of nobody. */
  startRedis(follows: string | undefined): void {
    if (this.redis) return
    this.redis = new ModelRedis(this.world, {
      ip: this.ip,
      key: this.disk.key,
      copy: this.disk.data,
      follows,
    })
    this.redis.minReplicas = this.disk.desired?.formed ? 1 : 0
  }

  /** Redis writes before it answers, so that its own death loses nothing. */
  stopRedis(): void {
    if (this.redis) this.disk.data = this.redis.copy
    this.redis = undefined
  }

  stopSentinel(): void {
    if (this.sentinel) this.disk.sentinelVoted = this.sentinel.votedEpoch
    this.sentinel = undefined
  }

  crash(): void {
    this.stopRedis()
    this.stopSentinel()
    this.controller = undefined
    this.up = false
  }

  boot(): void {
    this.up = true
    this.controller ??= new ModelController(this)
  }

  loseDisk(): void {
    this.crash()
    this.disk = this.newDisk()
  }

  step(): void {
    if (!this.up) return
    this.redis?.step(this.world)
    const { follows } = this.redis ?? {}
    const silent = follows !== undefined && !this.world.reachable(this.ip, follows)
    this.silentSince = silent ? (this.silentSince ?? this.world.now) : undefined
    this.sentinel?.step(this.world)
    this.controller?.step()
  }

  /** What master-watch.ts finds out: a process that is frozen still accepts, one that is gone refuses. */
  private get lost(): RedisReport['lost'] {
    const { redis, world } = this
    if (redis?.follows === undefined) return undefined
    if (this.silentSince !== undefined)
      return world.now - this.silentSince >= SILENT_MS ? 'silent' : undefined
    return !redis.link && !world.server(redis.follows).redis ? 'refuses' : undefined
  }

  report(): ServerReport {
    const { world, disk, redis, sentinel, controller, lost } = this
    const answers = redis?.answers(world.now)
    return {
      ip: this.ip,
      version: '',
      fingerprint: disk.identity,
      ...(disk.desired ? { desired: disk.desired } : {}),
      ...(disk.proposal ? { proposal: disk.proposal } : {}),
      ...(controller?.refusal ? { refusal: controller.refusal } : {}),
      greets: controller?.greets ?? [],
      voted: disk.vote.epoch,
      doing: controller?.problem ?? controller?.decision.why ?? '',
      ...(redis && answers ? { redis: { ...redis.report(world.now), ...(lost ? { lost } : {}) } } : {}),
      ...(redis && !answers ? { redisProblem: 'redis runs, but it does not answer' } : {}),
      ...(sentinel ? { sentinel: sentinel.report(world) } : {}),
    }
  }

  /** Whether this server speaks with `other`, by the rules of peers.ts; else the sentence, and who replaced it. */
  private doubt(other: ModelServer): { sentence: string; replacedBy?: Desired } | undefined {
    const { desired, pins, suspects } = this.disk
    const pinned = pins.get(other.ip)
    const { identity } = other.disk
    if (!desired?.order.includes(other.ip) && !this.controller!.candidates().includes(other.ip)) {
      if (desired?.formed && pinned === identity) return { sentence: 'it was replaced', replacedBy: desired }
      return { sentence: `it was not told of ${other.ip} yet` }
    }
    if (pinned === undefined) pins.set(other.ip, identity)
    else if (pinned !== identity) {
      suspects.set(other.ip, identity)
      return { sentence: `the certificate of ${other.ip} is not the known one` }
    }
    return undefined
  }

  /** The server `ip`, if the two speak with each other; throws the sentence why not. */
  peer(ip: string): ModelServer {
    const seen = this.meet(ip)
    if ('sentence' in seen) throw new Error(`${ip}: ${seen.sentence}`)
    return seen.server
  }

  private meet(ip: string): { server: ModelServer } | { sentence: string; replacedBy?: Desired } {
    const server = this.world.server(ip)
    if (!this.world.reachable(this.ip, ip) || !server.controller) return { sentence: 'it does not answer' }
    return server.doubt(this) ?? this.doubt(server) ?? { server }
  }

  ask(ip: string): Seen {
    const seen = this.meet(ip)
    if ('server' in seen) return { report: seen.server.report() }
    const { desired } = this.disk
    const by = seen.replacedBy
    const isNewer = by && by.clusterId === desired?.clusterId && by.generation > desired.generation
    return { unreachable: seen.sentence, ...(isNewer ? { newer: by } : {}) }
  }

  voteFor(epoch: number, candidate: string): boolean {
    const { vote } = this.disk
    if (epoch < vote.epoch || (epoch === vote.epoch && vote.to !== candidate)) return false
    this.disk.vote = { epoch, to: candidate }
    return true
  }

  /** `netq config ts add server`, by the rules of api.ts; a list that it refuses changes nothing. */
  addServers(order: readonly string[]): void {
    const { disk, controller, world } = this
    if (!controller || !order.includes(this.ip)) return
    const { desired } = disk
    if (!desired?.formed || desired.order.join() === order.join()) {
      for (const ip of order) {
        const suspect = disk.suspects.get(ip)
        if (suspect !== undefined) disk.pins.set(ip, suspect)
      }
      disk.suspects.clear()
    }
    if (!desired?.formed) disk.desired = { order, clusterId: '', generation: 0, formed: false }
    else if (desired.order.join() !== order.join()) {
      const added = order.filter((ip) => !desired.order.includes(ip))
      if (added.length > 1 || (added.length === 1 && added[0] === order[0])) return
      const id = `${this.ip} ${world.now} ${world.random()}`
      disk.proposal = { id, order, base: desired.generation, at: world.now }
    }
    controller.hurry()
  }
}
