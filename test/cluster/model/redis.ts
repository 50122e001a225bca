import type { RedisReport } from '../../../src/cluster/types.ts'
import type { World } from './world.ts'

/** What a store holds. Never changed in place, so that a replica's copy is a reference. */
export interface Copy {
  readonly epoch: number
  readonly marker: number
  /** Per agent the last of its batches that was applied; batches follow each other, so this says all there is. */
  readonly marks: readonly number[]
  readonly clusterId: string
  readonly generation: number
  readonly servers: readonly string[]
}

export const EMPTY: Copy = { epoch: 0, marker: 0, marks: [0, 0], clusterId: '', generation: 0, servers: [] }

/** After this long without a word both ends of a replication link hold it for lost: repl-timeout, in milliseconds. */
const REPL_TIMEOUT_MS = 20_000
/** min-replicas-max-lag, in milliseconds. */
const MAX_LAG_MS = 3000
const LOADING_MS = 200

let runs = 0

/** One life of a Redis process: roles, links and offsets as Redis has them, with the data as one value. */
export class ModelRedis {
  readonly ip: string
  readonly key: string
  readonly run: number
  readonly loadedAt: number
  copy: Copy
  role: 'master' | 'replica' = 'replica'
  /** undefined on a replica: fenced. */
  follows: string | undefined
  /** The order in which masters began, over all servers. */
  reign = 0
  link: { readonly run: number; heard: number } | undefined
  everLinked = false
  syncedAt: number | undefined
  offset = 0
  minReplicas = 0
  priority = 100
  frozenUntil = 0
  pausedUntil = 0
  readonly attached = new Map<string, { heard: number; offset: number; run: number }>()

  constructor(world: World, parts: { ip: string; key: string; copy: Copy; follows: string | undefined }) {
    this.ip = parts.ip
    this.key = parts.key
    this.copy = parts.copy
    runs += 1
    this.run = runs
    this.loadedAt = world.now + LOADING_MS
    this.follows = parts.follows
  }

  answers(now: number): boolean {
    return now >= this.frozenUntil
  }

  loading(now: number): boolean {
    return now < this.loadedAt
  }

  /** REPLICAOF NO ONE */
  promote(world: World): void {
    if (this.role === 'master') return
    this.role = 'master'
    this.follows = undefined
    this.link = undefined
    this.syncedAt = undefined
    this.reign = world.nextReign()
  }

  /** REPLICAOF ip */
  follow(ip: string): void {
    if (ip === this.ip) throw new Error(`${ip} was told to follow itself`)
    if (this.role === 'replica' && this.follows === ip) return
    this.role = 'replica'
    this.follows = ip
    this.link = undefined
    this.syncedAt = undefined
    this.attached.clear()
  }

  online(now: number): RedisReport['replicas'] {
    return [...this.attached].map(([ip, { heard, offset }]) => ({
      ip,
      lag: Math.floor((now - heard) / 1000),
      offset,
    }))
  }

  writable(now: number): boolean {
    const good = [...this.attached.values()].filter(({ heard }) => now - heard <= MAX_LAG_MS).length
    return this.role === 'master' && !this.loading(now) && now >= this.pausedUntil && good >= this.minReplicas
  }

  write(change: Partial<Copy>): void {
    this.copy = { ...this.copy, ...change }
    this.offset += 1
  }

  /** Replication goes on by one step: a link is made, goes on, or is found to be lost. */
  step(world: World): void {
    const { now } = world
    for (const [ip, { heard, run }] of this.attached) {
      const there = world.reachable(this.ip, ip)
      const replica = world.server(ip).redis
      const gone = there && (replica?.run !== run || replica.link?.run !== this.run)
      if (gone || now - heard > REPL_TIMEOUT_MS) this.attached.delete(ip)
    }
    if (this.role === 'master' || this.follows === undefined || !this.answers(now)) return
    const there = world.reachable(this.ip, this.follows)
    const upstream = there ? world.server(this.follows).redis : undefined
    if (this.link && (now - this.link.heard > REPL_TIMEOUT_MS || (there && upstream?.run !== this.link.run)))
      this.link = undefined
    if (!upstream?.answers(now) || upstream.loading(now) || upstream.key !== this.key) {
      this.syncedAt = undefined
      return
    }
    if (!this.link) {
      if (upstream.role !== 'master' && !upstream.link) return
      this.syncedAt ??= now + 200 + Math.floor(world.random() * 2000)
      if (now < this.syncedAt) return
      this.link = { run: upstream.run, heard: now }
      this.syncedAt = undefined
      this.everLinked = true
    } else if (world.random() < world.server(this.ip).lag) return
    this.copy = upstream.copy
    this.offset = upstream.offset
    this.link.heard = now
    upstream.attached.set(this.ip, { heard: now, offset: this.offset, run: this.run })
  }

  report(now: number): RedisReport {
    const { copy } = this
    return {
      role: this.role,
      diskOk: true,
      ...(this.follows === undefined ? {} : { follows: this.follows }),
      linkUp: this.link !== undefined,
      everLinked: this.role === 'replica' && this.everLinked,
      loading: this.loading(now),
      ...(this.syncedAt === undefined ? {} : { syncing: 50 }),
      offset: this.offset,
      replicas: this.online(now),
      minReplicas: this.minReplicas,
      priority: this.priority,
      epoch: copy.epoch,
      marker: copy.marker,
      markerTime: 0,
      applied: copy.marks.reduce((sum, mark) => sum + mark, 0),
      clusterId: copy.clusterId,
      generation: copy.generation,
      servers: copy.servers,
    }
  }
}
