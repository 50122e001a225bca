import type { Decision, View } from '../../../src/cluster/types.ts'
import { ModelAgent } from './agent.ts'
import { randomFrom } from './random.ts'
import type { ModelRedis } from './redis.ts'
import { ModelServer } from './server.ts'

/** One step of the world, in milliseconds. */
const STEP_MS = 100

/** Servers, agents and the network between them. The same seed and the same faults make the same story. */
export class World {
  now = 1_000_000
  readonly random: () => number
  /** The rule under test. */
  readonly decide: (view: View) => Decision
  readonly servers: readonly ModelServer[]
  readonly agents: readonly ModelAgent[]
  /** What must never happen and did. */
  readonly faults: string[] = []
  /** What the servers decided, as lines; the newest last. */
  readonly story: string[] = []
  private readonly cuts = new Set<string>()
  private readonly byIp: ReadonlyMap<string, ModelServer>
  private readonly lastWhy = new Map<string, string>()
  private reigns = 0
  private acknowledging: ModelRedis | undefined
  private acknowledgedAt = 0

  constructor(seed: number, ips: readonly string[], decide: (view: View) => Decision) {
    this.decide = decide
    this.random = randomFrom(seed)
    this.servers = ips.map((ip) => new ModelServer(this, ip))
    this.byIp = new Map(this.servers.map((server) => [server.ip, server]))
    this.agents = ['agent1', 'agent2'].map((ip, index) => new ModelAgent(ip, index))
  }

  server(ip: string): ModelServer {
    return this.byIp.get(ip)!
  }

  nextReign(): number {
    this.reigns += 1
    return this.reigns
  }

  /** Whether a packet from `a` reaches `b` and comes back; agents are hosts too, and always up. */
  reachable(a: string, b: string): boolean {
    const isUp = (ip: string) => this.byIp.get(ip)?.up ?? true
    return isUp(a) && isUp(b) && !this.cuts.has(cutBetween(a, b))
  }

  cut(a: string, b: string): void {
    if (a !== b) this.cuts.add(cutBetween(a, b))
  }

  heal(): void {
    this.cuts.clear()
  }

  step(): void {
    this.now += STEP_MS
    const order = [...this.servers].sort(() => this.random() - 0.5)
    for (const server of order) server.step()
    for (const agent of this.agents) agent.step(this)
  }

  run(ms: number): void {
    for (let passed = 0; passed < ms; passed += STEP_MS) this.step()
  }

  fault(sentence: string): void {
    this.tell(`FAULT ${sentence}`)
    this.faults.push(sentence)
  }

  tell(sentence: string): void {
    this.story.push(`${((this.now - 1_000_000) / 1000).toFixed(1)} ${sentence}`)
  }

  /** A write was acknowledged: once a later master has done so, an earlier one must not while that one lives. */
  acknowledged(by: ModelRedis): void {
    const later = this.acknowledging
    if (later && by.reign < later.reign && later.role === 'master' && this.server(later.ip).redis === later)
      this.fault(`${by.ip} acknowledged a write after ${later.ip}, a later master, had`)
    if (later && later !== by && this.acknowledgedAt === this.now)
      this.fault(`${by.ip} and ${later.ip} acknowledged writes at the same moment`)
    this.acknowledging = by
    this.acknowledgedAt = this.now
  }

  decided(ip: string, { action, why }: Decision): void {
    if (why === '') this.fault(`${ip} does not say why it does ${action.do}`)
    const line = `${ip} ${JSON.stringify(action)}: ${why}`
    if (this.lastWhy.get(ip) !== line && action.do !== 'mark') this.tell(line)
    this.lastWhy.set(ip, line)
  }

  /** Why the servers `order` are not one healthy cluster now; undefined if they are. `absent` is down. */
  incomplete(order: readonly string[], absent?: string): string | undefined {
    const present = order.filter((ip) => ip !== absent).map((ip) => this.server(ip))
    const masters = present.filter(({ redis }) => redis?.role === 'master')
    const [master] = masters
    if (!master || masters.length > 1) return `${masters.length} masters`
    if (master.redis!.minReplicas !== 1) return 'the master writes without a replica'
    for (const { ip, disk, redis, sentinel } of present) {
      const generation = master.disk.desired?.generation
      if (!disk.desired?.formed || disk.desired.order.join() !== order.join()) return `${ip} has another list`
      if (disk.desired.generation !== generation) return `${ip} has another generation`
      if (disk.proposal) return `${ip} still has a proposal`
      if (redis?.role !== 'master' && (redis?.follows !== master.ip || !redis.link))
        return `${ip} follows not`
      if (redis.priority !== 100) return `${ip} has the priority ${redis.priority}`
      if (!sentinel || sentinel.master !== master.ip)
        return `the Sentinel of ${ip} does not name ${master.ip}`
      const { knows, others, quorum, failover } = sentinel.report(this)
      if (failover || !quorum || others !== 2 || knows.some((known) => !order.includes(known)))
        return `the Sentinel of ${ip} knows ${knows.join(' ')}`
    }
    const late = this.agents.find((agent) => !agent.caughtUp(master.redis!))
    return late ? `${late.ip} has not caught up` : undefined
  }

  /** Steps until the cluster is whole. @returns what is still missing after `ms` milliseconds */
  settle(ms: number, order: () => readonly string[], absent?: string): string | undefined {
    const end = this.now + ms
    let missing: string | undefined
    for (let whole = 0; whole < 20; ) {
      this.step()
      missing = this.incomplete(order(), absent)
      whole = missing === undefined ? whole + 1 : 0
      if (this.now > end && missing !== undefined) return missing
    }
    return undefined
  }
}

function cutBetween(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`
}
