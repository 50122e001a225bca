import { z } from 'zod'
import { readIfThere, replaceFile } from '../platform/files.ts'
import type { Paths } from '../platform/paths.ts'
import type { ClusterList, Desired, Proposal } from './types.ts'

const order = z.array(z.ipv4()).min(1).max(3)
const schema = z.strictObject({
  desired: z
    .strictObject({ order, clusterId: z.string(), generation: z.number(), formed: z.boolean() })
    .optional(),
  /** What an operator asked for on this server and is not carried out yet. */
  proposal: z
    .strictObject({
      id: z.string(),
      order,
      base: z.number(),
      at: z.number(),
      restore: z.string().optional(),
    })
    .optional(),
  /** The cluster that ended on this server: its former members are told. */
  left: z.strictObject({ clusterId: z.string(), generation: z.number(), order }).optional(),
  /** Certificates' fingerprints of the servers that this one was told of, by address, as first seen. */
  pins: z.record(z.string(), z.string()),
  /** The last epoch in which this server gave its vote, and to whom. */
  vote: z.strictObject({ epoch: z.number(), to: z.string() }),
})

type State = z.infer<typeof schema>

/** What this server must still know after a power loss. Every change is on the disk before it is acted on. */
export class ClusterState {
  private readonly path: string
  private readonly suspects = new Map<string, string>()
  private state: State = { pins: {}, vote: { epoch: 0, to: '' } }

  constructor(paths: Paths) {
    this.path = paths.clusterState
  }

  /** Throws one sentence if the file is damaged: acting on a guess could make a second cluster. */
  load(): void {
    const text = readIfThere(this.path)
    if (text === undefined) return
    try {
      this.state = schema.parse(JSON.parse(text))
    } catch {
      throw new Error(
        `${this.path} is damaged; restore it, or remove it and run netq config ts add server with the cluster's servers here`,
      )
    }
  }

  get desired(): Desired | undefined {
    return this.state.desired
  }

  get left(): State['left'] {
    return this.state.left
  }

  get vote(): State['vote'] {
    return this.state.vote
  }

  pin(ip: string): string | undefined {
    return this.state.pins[ip]
  }

  setDesired(desired: Desired): void {
    this.change({ ...this.state, desired: { ...desired, order: [...desired.order] } })
  }

  /** Another certificate than the pinned one was shown from this address. */
  suspect(ip: string, fingerprint: string): void {
    this.suspects.set(ip, fingerprint)
  }

  /** An operator has named these servers anew: what they show now is believed. @returns those that had changed */
  believe(ips: readonly string[]): string[] {
    const changed = ips.filter((ip) => this.suspects.has(ip))
    for (const ip of changed) this.setPin(ip, this.suspects.get(ip)!)
    this.suspects.clear()
    return changed
  }

  get proposal(): Proposal | undefined {
    return this.state.proposal
  }

  propose(proposal: Proposal): void {
    this.change({ ...this.state, proposal: { ...proposal, order: [...proposal.order] } })
  }

  dropProposal(): void {
    const { proposal: _, ...rest } = this.state
    this.change(rest)
  }

  /**
   * Leaves the cluster: a single server again. The pins stay, should it be asked to come back.
   * @param ended the cluster's last list, of one server; undefined: it goes on without this server
   */
  leave(ended?: ClusterList): void {
    const { pins, vote, desired } = this.state
    const left = ended ? { ...ended, order: [...ended.order] } : undefined
    // A server that only waited for a cluster may hold the data of the one that ended here before.
    const kept = desired?.formed ? left : this.state.left
    this.change({ pins, vote, ...(kept ? { left: kept } : {}) })
  }

  /** The newest lists of clusters that this server knows and `ip` is not in, or no more with others. */
  listsWithout(ip: string): ClusterList[] {
    const { desired, left } = this.state
    const now = desired?.formed && !desired.order.includes(ip) ? [desired] : []
    return [...now, ...(left ? [left] : [])].map(({ clusterId, generation, order }) => ({
      clusterId,
      generation,
      order,
    }))
  }

  setPin(ip: string, fingerprint: string): void {
    this.change({ ...this.state, pins: { ...this.state.pins, [ip]: fingerprint } })
  }

  /** Gives this server's one vote of an epoch. @returns whether the candidate has it */
  voteFor(epoch: number, candidate: string): boolean {
    const { vote } = this.state
    if (epoch < vote.epoch || (epoch === vote.epoch && vote.to !== candidate)) return false
    if (epoch > vote.epoch) this.change({ ...this.state, vote: { epoch, to: candidate } })
    return true
  }

  private change(state: State): void {
    replaceFile(this.path, `${JSON.stringify(state, null, 2)}\n`, 0o600)
    this.state = state
  }
}
