import type { Entry } from './journal.ts'

/** One batch as an agent made it. */
export interface MadeBatch {
  readonly prev: number
  readonly seq: number
  readonly time: number
  readonly payload: string
}

/** One acknowledgement as an agent got it. */
export interface Acknowledgement {
  /** By which server. */
  readonly ip: string
  readonly seq: number
  /** Between when and when the server must have given it: it cannot be earlier than the batch. Monotonic milliseconds. */
  readonly from: number
  readonly to: number
}

/**
 * What one agent says that happened, from its journal: what the store is held against.
 *
 * The numbers of batches are those that they have in the end. A batch that is made before the agent's first connection has
 * a provisional number: if the store has more than the spool (which then lost what it could not write), all of them move
 * up (src/agent/spool.ts). The journal shows that as a jump between two batches of one process, and they are moved here too.
 */
export class AgentTruth {
  readonly host: string
  /** By number. Two, if the first was lost with the process that held it in memory, and the number was given again. */
  readonly made = new Map<number, MadeBatch[]>()
  /** Since `forget`, in order. */
  acknowledgements: Acknowledgement[] = []
  /** The highest number that was ever acknowledged. */
  acknowledged = 0
  /** The number that was acknowledged last: less than the highest after an older backup was restored. */
  standing = 0
  /** The number of the newest batch. */
  last = 0
  /** Numbers that the last batch of a killed process may have, if it was killed between the spool and the journal. */
  readonly unwritten = new Set<number>()
  /** What the node has, as it said when it was told to be quiet; undefined while it was not, or has not said so yet. */
  holds: ReadonlyMap<string, string> | undefined
  private provisional: MadeBatch[] = []
  private settled = false

  constructor(host: string) {
    this.host = host
  }

  take(entries: readonly Entry[]): void {
    for (const entry of entries) this.takeOne(entry)
  }

  /** Whether everything that it made is acknowledged. */
  get complete(): boolean {
    return this.last > 0 && this.standing >= this.last
  }

  /** Batches up to this number, and the acknowledgements so far, are done with. */
  forget(seq: number): void {
    for (const known of this.made.keys()) if (known <= seq) this.made.delete(known)
    this.acknowledgements = []
  }

  /** How many changes it made in these batches that are acknowledged. */
  acknowledgedIn(from: number, to: number): number {
    let changes = 0
    for (let seq = from; seq <= Math.min(to, this.acknowledged); seq++) {
      const payload = this.made.get(seq)?.at(-1)?.payload ?? ''
      changes += payload.split('\n').filter((line) => /^[PDS]\t/.test(line)).length
    }
    return changes
  }

  private takeOne(entry: Entry): void {
    switch (entry.what) {
      case 'start':
        if (entry.life > 1) this.unwritten.add(this.last + 1)
        this.holds = undefined
        if (this.settled) this.provisional = []
        this.settled = false
        return
      case 'made':
        this.takeBatch(entry)
        return
      case 'ok': {
        this.settled = true
        this.standing = entry.seq
        if (entry.seq <= this.acknowledged) return
        this.acknowledged = entry.seq
        const from = this.made.get(entry.seq)?.at(-1)?.time ?? entry.time
        this.acknowledgements.push({ ip: entry.ip, seq: entry.seq, from, to: entry.time })
        return
      }
      case 'holds':
        this.holds = new Map(Object.entries(entry.rows))
    }
  }

  private takeBatch({ prev, seq, time, payload }: MadeBatch): void {
    const moved = seq - 1 - this.last
    if (this.provisional.length > 0 && moved > 0) {
      for (const batch of this.provisional) this.remove(batch)
      for (const batch of this.provisional)
        this.add({ ...batch, prev: batch.prev + moved, seq: batch.seq + moved })
    }
    if (this.settled) this.provisional = []
    const batch = { prev, seq, time, payload }
    this.add(batch)
    if (!this.settled) this.provisional.push(batch)
    this.last = seq
  }

  private add(batch: MadeBatch): void {
    this.made.set(batch.seq, [...(this.made.get(batch.seq) ?? []), batch])
  }

  private remove({ seq, payload }: MadeBatch): void {
    const left = (this.made.get(seq) ?? []).filter((one) => one.payload !== payload)
    if (left.length > 0) this.made.set(seq, left)
    else this.made.delete(seq)
  }
}
