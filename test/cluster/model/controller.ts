import { Durations } from '../../../src/cluster/durations.ts'
import type { Decision, Refusal, Seen, ServerReport, View } from '../../../src/cluster/types.ts'
import { act, type Step } from './actions.ts'
import type { ModelServer } from './server.ts'

const AT_REST_MS = 500
const LEADERLESS_MS = 60
const MARK_MS = 1000

/**
 * The loop of cts-auth in the model: what controller.ts keeps between two rounds, and its pace. A decision is carried
 * out up to three steps after what it was made from was seen, as a real one is late too.
 */
export class ModelController {
  refusal: Refusal | undefined
  problem: string | undefined
  greets: readonly string[] = []
  decision: Decision = { action: { do: 'nothing' }, why: 'starting' }
  private readonly server: ModelServer
  private nextAt: number
  private todo: { steps: Step[]; view: View; after: () => void } | undefined
  private late = 0
  private readonly durations: Durations
  private marked = 0
  private candidatesSeen: readonly string[] = []

  constructor(server: ModelServer) {
    const { now, random } = server.world
    this.server = server
    this.durations = new Durations(() => server.world.now)
    this.nextAt = now + Math.floor(random() * AT_REST_MS)
  }

  hurry(): void {
    this.nextAt = this.server.world.now
  }

  candidates(): readonly string[] {
    return [...(this.server.disk.proposal?.order ?? []), ...this.candidatesSeen]
  }

  step(): void {
    const { now, random } = this.server.world
    if (this.todo) this.carryOn()
    else if (now >= this.nextAt) {
      this.look()
      this.late = Math.floor(random() * 3)
    }
  }

  private carryOn(): void {
    if (this.late > 0) {
      this.late -= 1
      return
    }
    const { steps, view, after } = this.todo!
    try {
      const next = steps[0]!
      if (next(this.server, view) === 'again') return
      steps.shift()
      if (steps.length > 0) return
      after()
      this.problem = undefined
      this.rest(100)
    } catch (error) {
      this.problem = (error as Error).message
      this.rest(AT_REST_MS)
    }
    this.todo = undefined
  }

  private rest(ms: number): void {
    const { now, random } = this.server.world
    this.nextAt = now + ms * (0.8 + random() * 0.4)
  }

  private look(): void {
    const { server } = this
    const { disk, world } = server
    const all = new Set([...(disk.desired?.order ?? []), ...this.candidates()])
    const peers = new Map([...all].filter((ip) => ip !== server.ip).map((ip) => [ip, server.ask(ip)]))
    const mine = server.report()
    this.settleProposal(mine, peers)
    const view = this.durations.view(server.ip, mine, peers)
    this.decision = world.decide(view)
    world.decided(server.ip, this.decision)
    const { action } = this.decision
    this.rest(this.durations.urgent(disk.desired?.formed === true, false) ? LEADERLESS_MS : AT_REST_MS)
    if (action.do === 'nothing') this.problem = undefined
    if (action.do === 'nothing' || (action.do === 'mark' && world.now - this.marked < MARK_MS - 100)) return
    const after = () => {
      if (action.do === 'mark') this.marked = world.now
      this.durations.done(action, mine)
    }
    this.todo = { steps: act(action), view, after }
  }

  private settleProposal(mine: ServerReport, peers: ReadonlyMap<string, Seen>): void {
    const reports = [mine, ...[...peers.values()].flatMap((seen) => ('report' in seen ? [seen.report] : []))]
    this.candidatesSeen = reports.flatMap((r) => (r.desired?.formed ? (r.proposal?.order ?? []) : []))
    const { disk } = this.server
    const { proposal, desired } = disk
    const orders = reports.flatMap((r) => (r.desired?.formed && r.proposal ? [r.proposal.order.join()] : []))
    this.greets = reports
      .filter((r) => !desired?.order.includes(r.ip) && orders.includes(r.desired?.order.join() ?? ''))
      .map((r) => r.ip)
    if (!proposal) return
    const done = desired?.order.join() === proposal.order.join()
    const refused = reports.some((r) => r.refusal?.id === proposal.id)
    if (done || refused || desired?.generation !== proposal.base) disk.proposal = undefined
  }
}
