import type { SentinelReport } from '../../../src/cluster/types.ts'
import type { ModelRedis } from './redis.ts'
import type { World } from './world.ts'

const DOWN_AFTER_MS = 3000
const FAILOVER_TIMEOUT_MS = 4000
const INFO_PERIOD_MS = 500
/** How long a replica that says it is a master may do so before it is told otherwise. */
const ROLE_FIX_MS = 8000
const QUORUM = 2

/** What a Sentinel remembers of a Redis. */
interface Instance {
  answered: number
  asked: number
  info: { role: 'master' | 'replica'; follows: string | undefined; priority: number; offset: number }
  roleSince: number
  followsSince: number
}

interface Failover {
  readonly epoch: number
  readonly began: number
  readonly forced: boolean
  promoted: string | undefined
}

/** One life of a Sentinel: what it takes for down, votes, failovers, and what it learns from the others. */
export class ModelSentinel {
  readonly ip: string
  readonly key: string
  master: string
  epoch: number
  currentEpoch: number
  votedEpoch: number
  votedFor = ''
  readonly others: Set<string>
  readonly replicas: Set<string>
  failover: Failover | undefined
  private attempted = Number.NEGATIVE_INFINITY
  private readonly instances = new Map<string, Instance>()

  constructor(parts: {
    ip: string
    key: string
    master: string
    epoch: number
    votedEpoch: number
    order: readonly string[]
  }) {
    this.ip = parts.ip
    this.key = parts.key
    this.master = parts.master
    this.epoch = parts.epoch
    this.votedEpoch = Math.max(parts.epoch, parts.votedEpoch)
    this.currentEpoch = this.votedEpoch
    this.others = new Set(parts.order.filter((ip) => ip !== parts.ip))
    this.replicas = new Set(parts.order.filter((ip) => ip !== parts.master))
  }

  /** GET-MASTER-ADDR-BY-NAME: in a failover the promoted one as soon as it says that it is the master. */
  get named(): string {
    const promoted = this.failover?.promoted
    return promoted !== undefined && this.instances.get(promoted)?.info.role === 'master'
      ? promoted
      : this.master
  }

  private redis(world: World, ip: string): ModelRedis | undefined {
    if (!world.reachable(this.ip, ip)) return undefined
    const { redis } = world.server(ip)
    return redis?.answers(world.now) && redis.key === this.key ? redis : undefined
  }

  private peers(world: World): ModelSentinel[] {
    return [...this.others].flatMap((ip) => {
      const { sentinel } = world.server(ip)
      return sentinel && world.reachable(this.ip, ip) && sentinel.key === this.key ? [sentinel] : []
    })
  }

  private look(world: World): void {
    const { now } = world
    for (const ip of [this.master, ...this.replicas]) {
      let known = this.instances.get(ip)
      if (!known) {
        const info = {
          role: ip === this.master ? 'master' : 'replica',
          follows: this.master,
          priority: 100,
          offset: 0,
        }
        known = { answered: now, asked: 0, info: info as Instance['info'], roleSince: now, followsSince: now }
        this.instances.set(ip, known)
      }
      const redis = this.redis(world, ip)
      if (!redis) continue
      known.answered = now
      if (redis.loading(now) || now - known.asked < INFO_PERIOD_MS) continue
      known.asked = now
      if (known.info.role !== redis.role) known.roleSince = now
      if (known.info.follows !== redis.follows) known.followsSince = now
      known.info = {
        role: redis.role,
        follows: redis.follows,
        priority: redis.priority,
        offset: redis.offset,
      }
    }
  }

  private down(world: World, ip: string): boolean {
    const known = this.instances.get(ip)
    if (!known) return false
    const demoted = ip === this.master && known.info.role === 'replica'
    return (
      world.now - known.answered > DOWN_AFTER_MS ||
      (demoted && world.now - known.roleSince > DOWN_AFTER_MS + 2 * INFO_PERIOD_MS)
    )
  }

  private isSane(world: World): boolean {
    return this.instances.get(this.master)?.info.role === 'master' && !this.down(world, this.master)
  }

  step(world: World): void {
    this.look(world)
    this.gossip(world)
    if (this.failover) this.goOn(world, this.failover)
    else this.begin(world)
    if (!this.failover && this.isSane(world)) this.putRight(world)
  }

  private gossip(world: World): void {
    for (const peer of this.peers(world)) {
      peer.others.add(this.ip)
      this.currentEpoch = Math.max(this.currentEpoch, peer.currentEpoch)
      const epoch = peer.named === peer.master ? peer.epoch : peer.failover!.epoch
      if (epoch <= this.epoch) continue
      this.epoch = epoch
      if (peer.named !== this.master) this.turnTo(peer.named)
    }
  }

  private turnTo(master: string): void {
    this.replicas.add(this.master)
    this.replicas.delete(master)
    this.master = master
    this.failover = undefined
    this.instances.clear()
  }

  private begin(world: World): void {
    if (!this.down(world, this.master) || world.now - this.attempted < 2 * FAILOVER_TIMEOUT_MS) return
    const agree = this.peers(world).filter((p) => p.master === this.master && p.down(world, p.master)).length
    if (agree + 1 < QUORUM) return
    this.start(world, false)
  }

  private start(world: World, forced: boolean): void {
    this.currentEpoch += 1
    this.attempted = world.now + Math.floor(world.random() * 1000)
    this.failover = { epoch: this.currentEpoch, began: world.now, forced, promoted: undefined }
  }

  /** SENTINEL FAILOVER */
  force(world: World): void {
    if (this.failover) throw new Error('INPROG Failover already in progress')
    if (this.choose(world) === undefined) throw new Error('NOGOODSLAVE No suitable replica to promote')
    this.start(world, true)
  }

  private vote(epoch: number, candidate: string, now: number): string {
    this.currentEpoch = Math.max(this.currentEpoch, epoch)
    if (this.votedEpoch < epoch && this.currentEpoch <= epoch) {
      this.votedEpoch = epoch
      this.votedFor = candidate
      if (candidate !== this.ip) this.attempted = now
    }
    return this.votedEpoch === epoch ? this.votedFor : ''
  }

  private get majority(): number {
    return Math.max(QUORUM, Math.floor((this.others.size + 1) / 2) + 1)
  }

  private goOn(world: World, failover: Failover): void {
    const { now } = world
    if (now - failover.began > FAILOVER_TIMEOUT_MS) {
      this.failover = undefined
      return
    }
    if (failover.promoted === undefined) {
      if (!failover.forced) {
        const asked = [this, ...this.peers(world)]
        const votes = asked.filter((s) => s.vote(failover.epoch, this.ip, now) === this.ip).length
        if (votes < this.majority) return
      }
      failover.promoted = this.choose(world)
      if (failover.promoted === undefined) this.failover = undefined
      else this.redis(world, failover.promoted)?.promote(world)
      return
    }
    const known = this.instances.get(failover.promoted)
    if (known?.info.role !== 'master') {
      this.redis(world, failover.promoted)?.promote(world)
      return
    }
    for (const ip of this.replicas) {
      if (ip !== failover.promoted) this.redis(world, ip)?.follow(failover.promoted)
    }
    this.epoch = failover.epoch
    this.turnTo(failover.promoted)
  }

  /** The replica to promote: the lowest priority, then the most data by offset. */
  private choose(world: World): string | undefined {
    const good = [...this.replicas].filter((ip) => {
      const known = this.instances.get(ip)
      return known && !this.down(world, ip) && this.redis(world, ip) && known.info.priority > 0
    })
    const info = (ip: string) => this.instances.get(ip)!.info
    return good.sort((a, b) => info(a).priority - info(b).priority || info(b).offset - info(a).offset)[0]
  }

  private putRight(world: World): void {
    for (const ip of this.replicas) {
      const known = this.instances.get(ip)
      const redis = this.redis(world, ip)
      if (!known || !redis || this.down(world, ip)) continue
      const rival = known.info.role === 'master' && world.now - known.roleSince > ROLE_FIX_MS
      const stray =
        known.info.role === 'replica' &&
        known.info.follows !== this.master &&
        world.now - known.followsSince > FAILOVER_TIMEOUT_MS
      if (rival || stray) redis.follow(this.master)
    }
  }

  report(world: World): SentinelReport {
    const quorum = this.peers(world).length + 1 >= this.majority
    const own = this.replicas.has(this.ip) ? this.instances.get(this.ip)?.info.priority : undefined
    return {
      master: this.master,
      epoch: this.epoch,
      replicas: [...this.replicas].filter((ip) => this.instances.has(ip) && !this.down(world, ip)).length,
      others: this.others.size,
      knows: [...new Set([...this.replicas, ...this.others])],
      quorum,
      noQuorumMs: quorum ? 0 : 1000,
      ...(own === undefined ? {} : { ownPriority: own }),
      tilt: false,
      failover: this.failover !== undefined,
      masterDown: this.down(world, this.master),
    }
  }
}
