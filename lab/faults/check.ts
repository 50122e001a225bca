import { readSecrets } from '../../src/config/secrets.ts'
import { until } from '../until.ts'
import { type Copy, copyOf, differences } from './copy.ts'
import type { Field } from './field.ts'
import { JournalReader, monotonic } from './journal.ts'
import type { RottenWatch } from './rotten.ts'
import { AgentTruth } from './truth.ts'
import { type Base, NOTHING, type Permitted, type Walked, walk } from './walk.ts'
import { longestGap, twoWriters } from './writers.ts'

/** How long after the last fault was healed the servers may take until they agree, in milliseconds. */
export const AGREE_MS = 30_000
/** How long agents may then take until all that they made is acknowledged, and replicas until they have it; milliseconds. */
const COMPLETE_MS = 30_000

/** What one round came to. */
export interface Findings {
  /** Changes that were acknowledged in this round. */
  readonly acknowledged: number
  readonly lost: number
  readonly duplicated: number
  readonly forgotten: number
  /** The longest time without an acknowledgement, in milliseconds. */
  readonly gap: number
  /** What is wrong, a sentence each. */
  readonly faults: readonly string[]
}

/** Holds what the agents' journals say against what the servers hold, round after round. */
export class Checker {
  private readonly field: Field
  private readonly readers: ReadonlyMap<string, JournalReader>
  private readonly truths: ReadonlyMap<string, AgentTruth>
  private bases = new Map<string, Base>()
  /** The last entry of the log that was found right, and how many there were up to it. */
  private after = ''
  private known = 0
  private since = monotonic()

  constructor(field: Field) {
    this.field = field
    this.readers = new Map(field.agents.map(({ host, journal }) => [host, new JournalReader(journal)]))
    this.truths = new Map(field.agents.map(({ host }) => [host, new AgentTruth(host)]))
  }

  /** A round begins, which the gap of writes is measured in. */
  begin(): void {
    this.since = monotonic()
  }

  /** Waits until every agent has been acknowledged so many batches more. */
  async progress(batches: number, ms: number): Promise<void> {
    this.read()
    const before = new Map([...this.truths.values()].map(({ host, standing }) => [host, standing]))
    await until('every agent is acknowledged more', ms, () => {
      this.read()
      return [...this.truths.values()].every(({ host, standing }) => standing >= before.get(host)! + batches)
    })
  }

  /** For how long no agent has been acknowledged anything, in milliseconds. */
  silentFor(): number {
    this.read()
    const last = [...this.truths.values()].map(
      ({ acknowledgements }) => acknowledgements.at(-1)?.to ?? this.since,
    )
    return monotonic() - Math.max(...last)
  }

  /**
   * Ends the changes, waits until all is acknowledged and all servers have it, and looks whether everything is right. The
   * servers agree by then. What was found right is not looked at again, but for how much it is.
   */
  async check(permitted: Permitted, rotten: RottenWatch): Promise<Findings> {
    const until = monotonic()
    const faults = await this.quiet()
    const acknowledgements = new Map([...this.truths].map(([host, truth]) => [host, truth.acknowledgements]))
    const all = [...acknowledgements.values()].flat()
    const gap = longestGap(all, this.since, until)
    faults.push(...twoWriters(all), ...rotten.wrong(acknowledgements))
    const copies = await this.copies()
    for (const other of copies.slice(1)) faults.push(...differences(copies[0]!, other))
    const { walks, ...counts } = this.walkAll(copies[0]!, permitted)
    faults.push(...walks.flatMap((one) => one.faults), ...this.strangers(copies[0]!))
    return { ...counts, gap, faults }
  }

  /** The agents make changes again. */
  resume(): void {
    for (const agent of this.field.agents) agent.resume()
  }

  private read(): void {
    for (const [host, reader] of this.readers) this.truths.get(host)!.take(reader.news())
  }

  /** @returns who had not everything acknowledged in time */
  private async quiet(): Promise<string[]> {
    this.read()
    for (const truth of this.truths.values()) truth.holds = undefined
    for (const agent of this.field.agents) agent.quiet()
    const late = () => {
      this.read()
      return [...this.truths.values()].filter(({ complete, holds }) => !complete || holds === undefined)
    }
    try {
      await until('everything is acknowledged', COMPLETE_MS, () => late().length === 0)
      return []
    } catch {
      return late().map(
        ({ host, last, standing }) =>
          `${host}: of its ${last} batches ${standing} are acknowledged ${COMPLETE_MS / 1000} s after the servers agreed`,
      )
    }
  }

  /** What the three servers hold, as soon as they have applied the same number of batches. */
  private async copies(): Promise<Copy[]> {
    let copies: Copy[] = []
    await until('the replicas have everything', COMPLETE_MS, async () => {
      copies = await Promise.all(this.field.own.map((server) => this.copy(server)))
      return copies.every(({ applied }) => applied === copies[0]!.applied)
    }).catch((error: unknown) => {
      if (copies.length === 0) throw error
    })
    return copies
  }

  private async copy(server: Field['own'][number]): Promise<Copy> {
    const redis = await this.field.redis(server)
    try {
      const { prefix } = readSecrets(server.paths)!
      return await copyOf(server.name, redis, prefix, [...this.truths.keys()], this.after)
    } finally {
      redis.disconnect()
    }
  }

  private walkAll(copy: Copy, permitted: Permitted) {
    const walks: Walked[] = []
    let acknowledged = 0
    for (const [host, truth] of this.truths) {
      const own = copy.log.filter((entry) => entry.host === host && entry.seq !== 0)
      const base = this.bases.get(host) ?? NOTHING
      const mark = copy.marks.get(host)!
      acknowledged += truth.acknowledgedIn(base.mark + 1, truth.acknowledged)
      const walked = walk(truth, own, mark, base, permitted)
      walks.push({ ...walked, faults: [...walked.faults, ...stateFaults(truth, walked, copy)] })
      this.bases.set(host, walked.base)
      truth.forget(walked.base.mark)
    }
    const sum = (of: (one: Walked) => number) => walks.reduce((total, one) => total + of(one), 0)
    return {
      walks,
      acknowledged,
      lost: sum((one) => one.lost),
      duplicated: sum((one) => one.duplicated),
      forgotten: sum((one) => one.forgotten),
    }
  }

  /** What is in the log that was found right before, and is not as much any more; and what no agent wrote. */
  private strangers(copy: Copy): string[] {
    const expected = this.known + copy.log.length
    const found: string[] = []
    if (copy.length !== expected)
      found.push(`the log has ${copy.length} entries, and ${expected} are known: older ones have changed`)
    const hosts = new Set(copy.log.filter(({ seq }) => seq !== 0).map(({ host }) => host))
    for (const host of hosts)
      if (!this.truths.has(host)) found.push(`the log has changes of ${host}, which is no agent`)
    this.known = copy.length
    this.after = copy.log.at(-1)?.id ?? this.after
    return found
  }
}

/** Whether the store's rows are those of the model, and those that the node really has. */
function stateFaults(truth: AgentTruth, { base }: Walked, copy: Copy): string[] {
  const stored = new Map(
    [...copy.states.get(truth.host)!].map(([key, row]) => [key, row.replace(/^\d+ \d+ /, '')]),
  )
  const differing = (other: ReadonlyMap<string, string>) =>
    [...new Set([...stored.keys(), ...other.keys()])].filter((key) => stored.get(key) !== other.get(key))
  const found: string[] = []
  const byModel = differing(base.model.rows)
  if (byModel.length > 0)
    found.push(`${truth.host}: ${byModel.length} rows are not what its log makes of them`)
  const byNode = truth.holds ? differing(truth.holds) : []
  if (byNode.length > 0)
    found.push(
      `${truth.host}: ${byNode.length} rows are not what the node has, e.g. ${byNode[0]!.replace('\t', ' ')}`,
    )
  return found
}
