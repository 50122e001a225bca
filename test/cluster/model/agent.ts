import type { ModelRedis } from './redis.ts'
import type { World } from './world.ts'

/** At most so many batches are sent at once. */
const AT_ONCE = 5

/**
 * An agent: makes numbered batches, pushes what is above the store's mark to the master that two Sentinels name, takes
 * a batch for acknowledged when a replica has it, and forgets it when two have it. It stays with the cluster that it
 * knows: a server that lost its disk, or left, is a master of its own while the Sentinels may still name its address.
 */
export class ModelAgent {
  readonly ip: string
  made = 0
  acknowledged = 0
  private readonly index: number
  private trimmed = 0
  private cluster = ''
  private connected: { ip: string; redis: ModelRedis; reign: number } | undefined

  constructor(ip: string, index: number) {
    this.ip = ip
    this.index = index
  }

  step(world: World): void {
    this.made += 1
    if (!this.connected) {
      this.connect(world)
      return
    }
    const { ip, redis, reign } = this.connected
    const alive = world.reachable(this.ip, ip) && world.server(ip).redis === redis && redis.answers(world.now)
    if (!alive || redis.role !== 'master' || redis.reign !== reign) {
      this.connected = undefined
      return
    }
    this.confirm(world, redis)
    if (this.made <= this.mark(redis)) return
    if (!redis.writable(world.now)) {
      this.connected = undefined
      return
    }
    const marks = [...redis.copy.marks]
    marks[this.index] = Math.min(this.made, this.mark(redis) + AT_ONCE)
    redis.write({ marks })
  }

  private mark(redis: ModelRedis): number {
    return redis.copy.marks[this.index]!
  }

  private connect(world: World): void {
    const votes = new Map<string, number>()
    for (const { ip, sentinel } of world.servers) {
      if (!sentinel || !world.reachable(this.ip, ip)) continue
      votes.set(sentinel.named, (votes.get(sentinel.named) ?? 0) + 1)
    }
    const [named] = [...votes].find(([, count]) => count >= 2) ?? []
    if (named !== undefined && this.tryMaster(world, named, 0)) return
    // In a failover one is the master before the Sentinels say so, and has a replica.
    for (const { ip } of world.servers) if (ip !== named && this.tryMaster(world, ip, 1)) return
  }

  private tryMaster(world: World, ip: string, replicas: number): boolean {
    if (!world.reachable(this.ip, ip)) return false
    const { redis } = world.server(ip)
    if (!redis?.answers(world.now) || redis.role !== 'master' || redis.loading(world.now)) return false
    if (redis.attached.size < replicas) return false
    if (this.cluster !== '' && redis.copy.clusterId !== this.cluster) return false
    this.cluster = redis.copy.clusterId
    if (this.mark(redis) < this.trimmed)
      world.fault(`${this.ip} had forgotten ${this.trimmed}, and ${ip} holds ${this.mark(redis)} only`)
    this.connected = { ip, redis, reign: redis.reign }
    return true
  }

  /** WAIT: how many replicas have what was sent. */
  private confirm(world: World, redis: ModelRedis): void {
    const held = [...redis.attached.keys()]
      .filter((ip) => world.reachable(redis.ip, ip) && world.server(ip).redis?.link?.run === redis.run)
      .map((ip) => Math.min(this.mark(redis), this.mark(world.server(ip).redis!)))
      .sort((a, b) => b - a)
    const [one, two] = held
    if (one !== undefined && one > this.acknowledged) {
      this.acknowledged = one
      world.acknowledged(redis)
    }
    if (two !== undefined) this.trimmed = Math.max(this.trimmed, two)
  }

  /** Whether all that was acknowledged, and all that was made some steps ago, is in this copy. */
  caughtUp(redis: ModelRedis): boolean {
    return this.mark(redis) >= Math.max(this.acknowledged, this.made - AT_ONCE)
  }
}
