import type { Secrets } from '../config/secrets.ts'
import { type Log, sentenceOf } from '../platform/log.ts'
import type { Services } from '../platform/services.ts'
import { type Actor, FAILOVER } from './act.ts'
import { decide } from './decide.ts'
import { Durations } from './durations.ts'
import type { LocalConnections } from './local.ts'
import { MasterWatch } from './master-watch.ts'
import type { PeerClient } from './peers.ts'
import { reportsOf } from './picture.ts'
import { observe } from './report.ts'
import type { ClusterState } from './state.ts'
import type { Decision, Seen, ServerReport, View } from './types.ts'

/** How soon the loop looks again: after an action, and when all is in order; milliseconds. */
const AFTER_ACTION_MS = 50
const AT_REST_MS = 500
/** The same while there is no master: until writes are taken again, every look counts. */
const LEADERLESS_MS = 60
/** How long a change may wait, e.g. for a new server's own operator, in milliseconds. */
const PROPOSAL_MS = 3600 * 1000
/** The master marks its copy this often, in milliseconds; netq.lua reckons with it. */
const MARK_MS = 1000

/** Who is told how the loop goes; it is told, and never asked. */
export interface LoopWatch {
  /** What was seen, and when the question was asked (performance.now()). */
  looked(view: View, at: number): void
  roundEnded(): void
}

/**
 * The one loop of cts-auth: observe, decide, act, again. What it keeps between two rounds are durations only; everything
 * else is seen afresh, so that a restart at any moment loses nothing.
 */
export class Controller {
  private readonly self: string
  private readonly version: string
  private readonly fingerprint: string
  private readonly services: Services
  private readonly local: LocalConnections
  private readonly state: ClusterState
  private readonly peers: PeerClient | undefined
  private readonly actor: Actor
  private readonly log: Log
  private readonly watch: LoopWatch
  private timer: NodeJS.Timeout | undefined
  private stopped = false
  private hurried = false
  private round: Promise<void> = Promise.resolve()
  // Not the time of day: with that, a master whose clock was set back by an hour did not mark its copy for an hour.
  private readonly durations = new Durations(() => performance.now())
  private marked = Number.NEGATIVE_INFINITY
  private candidatesSeen: readonly string[] = []
  private greets: readonly string[] = []
  private readonly masterWatch: MasterWatch
  private readonly outcomes = new Map<string, string>()
  private lastWhy = ''
  /** Set by whoever asks this server to give way (step-down.ts); `until` is in ms of performance.now(). */
  stepsDown: { readonly to?: string; readonly until: number } | undefined
  /** The last decision, for operators. */
  decision: Decision = { action: { do: 'nothing' }, why: 'starting' }
  /** What kept the last action from being done, in a sentence. */
  problem: string | undefined

  constructor(parts: {
    self: string
    version: string
    fingerprint: string
    services: Services
    local: LocalConnections
    state: ClusterState
    peers: PeerClient | undefined
    actor: Actor
    log: Log
    watch: LoopWatch
  }) {
    this.self = parts.self
    this.version = parts.version
    this.fingerprint = parts.fingerprint
    this.services = parts.services
    this.local = parts.local
    this.state = parts.state
    this.peers = parts.peers
    this.masterWatch = new MasterWatch(parts.local.address)
    this.actor = parts.actor
    this.log = parts.log
    this.watch = parts.watch
  }

  start(): void {
    this.schedule(0)
  }

  async stop(): Promise<void> {
    this.stopped = true
    clearTimeout(this.timer)
    await this.round
  }

  /** Looks again at once, e.g. because the operator has just configured something. */
  hurry(): void {
    this.hurried = true
    if (this.timer) this.schedule(0)
  }

  get secrets(): Secrets {
    return this.actor.secrets
  }

  /** What this server says of itself now. */
  async report(): Promise<ServerReport> {
    const { sentinel, redis, ...observed } = await observe(
      this.services,
      this.local,
      this.actor.secrets.prefix,
    )
    const lost = await this.masterWatch.look(redis)
    const noQuorumMs = this.durations.withoutQuorum(sentinel)
    return {
      ip: this.self,
      version: this.version,
      fingerprint: this.fingerprint,
      ...(this.state.desired ? { desired: this.state.desired } : {}),
      ...(this.state.proposal ? { proposal: this.state.proposal } : {}),
      ...(this.actor.refusal ? { refusal: this.actor.refusal } : {}),
      ...(this.state.left ? { left: this.state.left } : {}),
      ...(this.actor.outdated.size > 0 ? { outdated: [...this.actor.outdated] } : {}),
      ...(this.actor.restores.aside ? { aside: this.actor.restores.aside } : {}),
      ...(this.stepsDown && this.stepsDown.until > performance.now() ? { stepsDown: this.stepsDown } : {}),
      greets: this.greets,
      voted: this.state.vote.epoch,
      doing: this.problem ?? this.decision.why,
      ...observed,
      ...(redis ? { redis: lost ? { ...redis, lost } : redis } : {}),
      ...(sentinel ? { sentinel: { ...sentinel, noQuorumMs } } : {}),
    }
  }

  /** What the other servers of the list say now; all are asked at once. */
  async askPeers(): Promise<Map<string, Seen>> {
    const all = new Set([...(this.state.desired?.order ?? []), ...this.candidates()])
    const others = [...all].filter((ip) => ip !== this.self)
    const seen = await Promise.all(others.map((ip) => this.peers!.report(ip)))
    return new Map(others.map((ip, i) => [ip, seen[i]!]))
  }

  /** The servers of changes that this server or a member was asked for: they are spoken with before they belong. */
  candidates(): readonly string[] {
    return [...(this.state.proposal?.order ?? []), ...this.candidatesSeen]
  }

  /** Another change was asked for on this server before this one was carried out. */
  supersede(id: string): void {
    this.outcomes.set(id, 'Another change was asked for on this server, and takes the place of this one')
  }

  /** Why the change of this id ended without coming true; '' if it came true; undefined while it is under way. */
  outcome(id: string): string | undefined {
    return this.outcomes.get(id)
  }

  private schedule(ms: number): void {
    if (this.stopped) return
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.timer = undefined
      this.hurried = false
      this.round = this.runRound().then((next) => this.schedule(this.hurried ? 0 : next))
    }, ms)
  }

  /** @returns after how many milliseconds to look again */
  private async runRound(): Promise<number> {
    let acted = false
    const asked = performance.now()
    try {
      const [mine, peers] = await Promise.all([this.report(), this.askPeers()])
      this.settleProposal(mine, peers)
      const view = this.durations.view(this.self, mine, peers)
      if (mine.redis?.role === 'replica') this.actor.becameMasterBy = FAILOVER
      this.watch.looked(view, asked)
      this.decision = decide(view)
      const { action, why } = this.decision
      if (why !== this.lastWhy) this.log.info(`${action.do}: ${why}`)
      this.lastWhy = why
      if (action.do === 'mark') {
        if (performance.now() - this.marked < MARK_MS - 100) return this.pause()
        await this.actor.act(action, view)
        this.marked = performance.now()
      } else {
        await this.actor.act(action, view)
        acted = action.do !== 'nothing'
        this.durations.done(action, mine)
      }
      if (this.problem) this.log.info('that works again')
      this.problem = undefined
    } catch (error) {
      const sentence = sentenceOf(error)
      if (sentence !== this.problem) this.log.warning(`${this.decision.action.do}: ${sentence}`)
      this.problem = sentence
    } finally {
      this.watch.roundEnded()
    }
    return acted ? AFTER_ACTION_MS : this.pause()
  }

  private pause(): number {
    const urgent = this.durations.urgent(this.state.desired?.formed === true, this.masterWatch.alarmed)
    return urgent ? LEADERLESS_MS : AT_REST_MS
  }

  /** A proposal of this server ends here: carried out, refused by the master, or overtaken by another change. */
  private settleProposal(mine: ServerReport, peers: Map<string, Seen>): void {
    const reports = [...reportsOf({ mine, peers }).values()]
    this.candidatesSeen = reports.flatMap((r) => (r.desired?.formed ? (r.proposal?.order ?? []) : []))
    const { proposal, desired } = this.state
    const orders = reports.flatMap((r) => (r.desired?.formed && r.proposal ? [r.proposal.order.join()] : []))
    this.greets = reports
      .filter((r) => !desired?.order.includes(r.ip) && orders.includes(r.desired?.order.join() ?? ''))
      .map((r) => r.ip)
    if (!proposal) return
    const done = proposal.restore
      ? isRestored(proposal.id, reports, desired?.formed === true)
      : desired?.order.join() === proposal.order.join()
    const refusal = reports.find((r) => r.refusal?.id === proposal.id)?.refusal?.sentence
    const overtaken =
      (desired?.generation ?? 0) !== proposal.base
        ? `The servers are ${desired?.order.join(' ')} now: they were changed meanwhile`
        : undefined
    const late =
      Date.now() - proposal.at > PROPOSAL_MS
        ? 'The change was not possible within an hour and is given up'
        : undefined
    const outcome = done ? '' : (refusal ?? overtaken ?? late)
    if (outcome === undefined) return
    this.outcomes.set(proposal.id, outcome)
    const made = proposal.restore
      ? `${proposal.restore} is restored`
      : `the servers are ${proposal.order.join(' ')} now`
    this.log.info(outcome || made)
    this.state.dropProposal()
  }
}

/** Whether the backup of this proposal is in the store, and would be in that of the next master too. */
function isRestored(id: string, reports: readonly ServerReport[], formed: boolean): boolean {
  return reports.some(({ redis }) => redis?.restored?.id === id && (redis.role === 'replica' || !formed))
}
