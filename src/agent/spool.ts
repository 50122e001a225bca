import { mkdirSync } from 'node:fs'
import { lockFolder } from '../platform/lock.ts'
import type { Log } from '../platform/log.ts'
import { sentenceOf } from '../platform/log.ts'
import { encodeRecord, HEADER_BYTES } from './frame.ts'
import type { Losses, Lost } from './losses.ts'
import { Losses as LossList } from './losses.ts'
import { Recent } from './recent.ts'
import type { Batch } from './segment.ts'
import { UnreadableError } from './segment.ts'
import { Shelf } from './shelf.ts'

export type { Batch } from './segment.ts'

export interface SpoolOptions {
  /** How much disk the spool may take, in bytes; beyond it, the oldest batches become a gap. */
  readonly capBytes: number
  /** Size at which a segment file is ended, in bytes: what is dropped at once when the cap is reached. */
  readonly segmentBytes?: number
  /**
   * Batches from..to were lost (cap, full disk, unreadable disk). Called from within the spool's methods, so
   * it must not call them: it notes that a full reading is due. Do that reading when the gap was taken by the
   * store, not at once: while nothing can be sent, a full reading would only push more out of a full spool.
   */
  readonly onLoss?: (lost: Lost) => void
}

/** What a comparison with the store's mark came to. */
export interface Reconciled {
  /** Whether batches may be sent. False only if the disk refuses to record the numbering; try again later. */
  readonly ready: boolean
  /** Whether the store's state of this node cannot be believed until it had a full reading. */
  readonly fullReading: boolean
  /** What was found and done, for the log. */
  readonly sentence: string
}

const SEGMENT_BYTES = 1 << 20
const MEMORY_BYTES = 4 << 20

/**
 * The agent's batches from when they are made until the store has them: numbered, on disk, in order.
 *
 * The promise: no number that may have been sent is ever used for other data, and every number up to `last`
 * is either a batch or part of an explicit gap. A gap may stand for a number whose data was sent before: that
 * is harmless, the store takes one of the two, and if it took the data, nothing was lost.
 *
 * OPENED. After open() the store may have batches that are no longer on this disk (power loss, an older disk,
 * batches that were pushed from memory while the disk was full). So numbers given out by append() are
 * provisional: they are in files of an unsettled chapter, above `base`, the last number of the settled ones.
 * after() gives nothing, so nothing provisional is ever sent. A life that ends here leaves the chapter
 * unsettled; the next goes on with it.
 *
 * OPENED -> SETTLED, by reconcile(mark) only. mark <= base: the numbers stay. mark > base: everything up to
 * base was applied, and the provisional numbers are shifted to mark+1... Either way each file of the chapter
 * gets the shift and the word "settled" into its header, the oldest first, each synced: the oldest remaining
 * file of a chapter decides for all of it, so one sector decides, and a crash before leaves OPENED, after it
 * SETTLED. The sync is needed: without it, a power loss could bring back "unsettled" for numbers that were
 * sent, which would be numbered again. If the disk refuses, the state stays OPENED and nothing is sent. New
 * batches go to a new chapter.
 *
 * SETTLED. Numbers are final. mark <= last: go on sending after(mark). mark > last: someone else numbers
 * batches of this host (a second agent, a restored store); what is held is dropped, number mark+1 is spent as
 * the gap that says so, and a full reading is asked for. SETTLED ends with the process: close(), kill or
 * power loss.
 *
 * The mark must be read in a way that keeps out whatever an earlier connection of this agent still has in
 * flight: a batch of an earlier life that is applied after the mark was read is not seen here.
 *
 * WRITING. append() writes the record before it returns. There is no fsync per batch: write() survives kill
 * -9, and after a power loss the mark tells which numbers are spent, while the full reading at start brings
 * the state; syncing each batch would cost a switch's flash more than it saves. If the disk refuses (ENOSPC,
 * EIO, EROFS), batches stay in memory, numbered, and may be sent from there; each append tries again from the
 * oldest unwritten one, so the disk never holds n+1 without n, unless n became part of a gap or was
 * acknowledged. Above 4 MB the oldest become a gap.
 *
 * LOSS. What the cap, the disk or replaceWithGap() took is a range of lost numbers with a reason. Gaps are
 * not stored as batches: after(seq) makes them, so a gap always begins where the mark is, however far it has
 * widened since. Numbers that are missing without a recorded reason (a corrupt file, a store that forgot)
 * become gaps the same way.
 */
export class Spool {
  private readonly shelf: Shelf
  private readonly losses: Losses
  private readonly options: Required<SpoolOptions>
  private readonly log: Log
  private readonly unlock: () => void
  private readonly memory = new Recent()
  /** Losses that are not on the disk yet, so that the reason survives a restart. */
  private readonly unsaved = new LossList()
  private settled = false
  private chapter: number
  /** The last number before the chapter. */
  private base: number
  private lastNumber: number
  /** Numbers above it are in memory only. */
  private written: number
  private trimmed = 0
  private failing = false

  private constructor(
    shelf: Shelf,
    losses: Losses,
    options: Required<SpoolOptions>,
    log: Log,
    unlock: () => void,
  ) {
    const newest = shelf.all.at(-1)
    const last = Math.max(0, ...shelf.all.map((segment) => segment.last), losses.all.at(-1)?.to ?? 0)
    this.shelf = shelf
    this.losses = losses
    this.options = options
    this.log = log
    this.unlock = unlock
    this.lastNumber = last
    this.written = last
    const goesOn = newest !== undefined && !newest.header.settled
    this.chapter = goesOn ? newest.header.chapter : (newest?.header.chapter ?? 0) + 1
    this.base = goesOn ? newest.header.base : last
  }

  /**
   * Opens the spool in this folder, which is made if need be, and keeps others out until close().
   * Throws one sentence if another agent has it, or if the folder cannot be used at all.
   */
  static open(folder: string, options: SpoolOptions, log: Log): Spool {
    const unlock = take(folder, log)
    try {
      const { shelf, losses } = Shelf.load(folder, log)
      const segmentBytes = Math.min(options.segmentBytes ?? SEGMENT_BYTES, Math.floor(options.capBytes / 4))
      return new Spool(shelf, losses, { onLoss: () => {}, ...options, segmentBytes }, log, unlock)
    } catch (error) {
      unlock()
      throw error
    }
  }

  /** The last number given out; 0 if there never was one. Provisional until the first reconcile(). */
  get last(): number {
    return this.lastNumber
  }
  /** Number of the oldest batch that is still needed; last + 1 if there is none. */
  get first(): number {
    const wanted = this.trimmed
    const onDisk = this.shelf.all.find((segment) => segment.last > wanted && segment.last >= segment.first)
    return Math.min(
      onDisk ? Math.max(onDisk.first, wanted + 1) : this.lastNumber + 1,
      this.memory.after(wanted)?.seq ?? this.lastNumber + 1,
    )
  }
  /** How many batches are still needed. */
  get count(): number {
    const wanted = this.trimmed
    const onDisk = this.shelf.all.map((segment) =>
      Math.max(0, segment.last - Math.max(segment.first - 1, wanted)),
    )
    return onDisk.reduce((sum, n) => sum + n, 0) + this.memory.countAfter(Math.max(this.written, wanted))
  }
  /** Bytes of the batches that are still needed, framing included, on disk and in memory only. */
  get bytes(): number {
    const wanted = this.trimmed + 1
    const onDisk = this.shelf.all.map((segment) => segment.bytesFrom(wanted))
    return (
      onDisk.reduce((sum, n) => sum + n, 0) + this.memory.bytesAfter(Math.max(this.written, this.trimmed))
    )
  }
  /** When the oldest batch that is still needed was made (ms since the epoch); undefined if there is none. */
  get oldestTime(): number | undefined {
    return this.batchesFrom(this.first, 1, 0)[0]?.time
  }

  /** How much disk it may take, in bytes. */
  get capBytes(): number {
    return this.options.capBytes
  }

  /** Why batches are kept in memory only; undefined while the disk takes them. */
  get problem(): string | undefined {
    return this.failing
      ? 'its disk cannot be written; changes are kept in memory only, up to 4 MB'
      : undefined
  }

  /** Takes a batch; `time` in ms since the epoch. Never throws for the disk's sake: see WRITING above. */
  append(time: number, payload: string): Batch {
    const batch: Batch = { prev: this.lastNumber, seq: this.lastNumber + 1, time, payload }
    this.lastNumber = batch.seq
    this.memory.push(batch)
    this.flush()
    while (this.memory.bytes > MEMORY_BYTES) {
      const oldest = this.memory.shift()
      if (!oldest || oldest.seq <= this.written) continue
      this.lose(oldest.seq, oldest.seq, 'the disk could not be written and the memory was full')
      this.written = oldest.seq
    }
    return batch
  }

  /** Compares with the number of the last batch that the store applied; before anything is sent on a connection. */
  reconcile(mark: number): Reconciled {
    if (!Number.isSafeInteger(mark) || mark < 0)
      return {
        ready: false,
        fullReading: false,
        sentence: `the store's mark ${mark} is not a number of a batch`,
      }
    if (!this.settled) return this.settle(mark)
    if (mark > this.lastNumber) {
      const sentence =
        `the store has batch ${mark} of this host, but its spool ends at ${this.lastNumber}: ` +
        'a second agent has the same host name, or the store was restored'
      this.log.warning(`${sentence}; numbering goes on after ${mark}`)
      const held = this.count
      this.restartAfter(mark)
      if (held > 0) {
        this.lastNumber = this.written = mark + 1
        this.lose(mark + 1, mark + 1, `${held} batches that the store may not have were dropped: ${sentence}`)
      }
      return { ready: true, fullReading: true, sentence }
    }
    if (mark < this.trimmed) {
      const sentence = `the store forgot batches ${mark + 1} to ${this.trimmed}, which it had acknowledged`
      return { ready: true, fullReading: true, sentence }
    }
    const lost = this.losses.all.some((range) => range.to > mark)
    return { ready: true, fullReading: lost, sentence: `batches after ${mark} are to be sent` }
  }

  /**
   * The batches that follow number `seq`, oldest first: a chain whose first `prev` is `seq`, gaps included.
   * At most `maxBatches`, and about `maxBytes` of payload, but at least one if there is one. Nothing before
   * reconcile().
   */
  after(seq: number, maxBatches: number, maxBytes: number): Batch[] {
    return this.settled ? this.batchesFrom(seq + 1, maxBatches, maxBytes) : []
  }

  /** Numbers up to `seq` are no longer needed. */
  trim(seq: number): void {
    const upTo = Math.min(seq, this.settled ? this.lastNumber : this.base)
    if (upTo <= this.trimmed) return
    this.trimmed = upTo
    this.written = Math.max(this.written, upTo)
    this.memory.dropThrough(upTo)
    this.losses.dropThrough(upTo)
    this.unsaved.dropThrough(upTo)
    try {
      this.shelf.trim(upTo)
    } catch (error) {
      // What could not be deleted is deleted by a later trim; it is never sent again, the mark is beyond it.
      this.log.debug(`a file of the spool could not be deleted: ${sentenceOf(error)}`)
    }
  }

  /** Drops everything and goes on with number seq + 1, final. The caller owes the store a full reading. */
  restartAfter(seq: number): void {
    if (seq < this.lastNumber)
      throw new Error(`numbers up to ${this.lastNumber} were used; the spool cannot restart after ${seq}`)
    this.memory.dropThrough(this.lastNumber)
    this.losses.dropThrough(Number.POSITIVE_INFINITY)
    this.unsaved.dropThrough(Number.POSITIVE_INFINITY)
    this.lastNumber = this.written = this.base = seq
    this.settled = true
    this.chapter++
    this.shelf.closeActive()
    try {
      this.roll(seq + 1)
    } catch (error) {
      this.fails(error)
    }
    this.trim(seq)
  }

  /** A batch that the store refuses becomes a gap of its own number. */
  replaceWithGap(seq: number, reason: string): void {
    if (seq <= this.trimmed || seq > this.lastNumber) return
    this.remember({ from: seq, to: seq, time: Date.now(), reason })
    this.saveLosses()
  }

  /** Tries once more to write what is in memory only, and gives the folder free. */
  close(): void {
    this.flush()
    this.shelf.closeActive()
    this.unlock()
  }

  private settle(mark: number): Reconciled {
    const by = Math.max(0, mark - this.base)
    const files = this.shelf.all.filter((segment) => segment.header.chapter === this.chapter)
    for (const [i, segment] of files.entries()) {
      try {
        segment.settle(by)
      } catch (error) {
        if (i === 0) {
          const sentence = `nothing is sent, because ${segment.path} cannot be written: ${sentenceOf(error)}`
          return { ready: false, fullReading: false, sentence }
        }
        segment.header = { ...segment.header, settled: true, shift: by }
      }
    }
    const base = this.base
    this.settled = true
    this.chapter++
    this.shelf.closeActive()
    if (by > 0) {
      this.memory.renumber(base, by)
      this.losses.renumber(base, by)
      this.unsaved.renumber(base, by)
      this.written += by
      this.lastNumber += by
    }
    this.base = this.lastNumber
    if (by === 0) return { ready: true, fullReading: false, sentence: `batches after ${mark} are to be sent` }
    this.trim(mark)
    const sentence = `the store has batches up to ${mark}, this spool had them up to ${base}: new ones follow ${mark}`
    this.log.info(sentence)
    return { ready: true, fullReading: false, sentence }
  }

  /** Writes what is in memory only, oldest first, until the disk refuses. */
  private flush(): void {
    try {
      for (let batch = this.memory.after(this.written); batch; batch = this.memory.after(this.written)) {
        this.write(batch)
        this.written = Math.max(this.written, batch.seq)
      }
      if (this.failing) this.log.info('the spool can be written again')
      this.failing = false
    } catch (error) {
      this.fails(error)
    }
  }

  private write(batch: Batch): void {
    const record = { kind: 'batch', seq: batch.seq, time: batch.time, text: batch.payload } as const
    const bytes = encodeRecord(record).length
    if (bytes + HEADER_BYTES > this.options.capBytes) {
      this.lose(batch.seq, batch.seq, 'the batch is larger than the spool may be')
      return
    }
    this.makeRoom(bytes + HEADER_BYTES)
    let segment = this.shelf.active
    const full = segment && segment.last >= segment.first && segment.bytes + bytes > this.options.segmentBytes
    if (!segment || full || segment.last + 1 !== batch.seq) segment = this.roll(batch.seq)
    segment.append(record)
    this.saveLosses()
  }

  private roll(first: number) {
    const { chapter, base, settled } = this
    return this.shelf.roll({ chapter, base, first, shift: 0, settled })
  }

  private makeRoom(bytes: number): void {
    while (this.shelf.bytes + bytes > this.options.capBytes) {
      const dropped = this.shelf.removeOldest()
      if (!dropped) return
      const from = Math.max(dropped.first, this.trimmed + 1)
      this.memory.dropThrough(dropped.last)
      if (dropped.last >= from)
        this.lose(from, dropped.last, `the spool was full (cap ${this.options.capBytes} bytes)`)
    }
  }

  private lose(from: number, to: number, reason: string): void {
    const joined = this.remember({ from, to, time: Date.now(), reason })
    if (joined.from === from)
      this.log.warning(
        `batches from number ${from} on are lost: ${reason}; the store is told, and gets a full reading`,
      )
    this.options.onLoss(joined)
  }

  private remember(lost: Lost): Lost {
    this.unsaved.add(lost)
    return this.losses.add(lost)
  }

  private saveLosses(): void {
    const segment = this.shelf.active
    if (!segment) return
    try {
      for (const { reason, ...range } of this.unsaved.all)
        segment.append({ kind: 'lost', ...range, text: reason })
      this.unsaved.dropThrough(Number.POSITIVE_INFINITY)
    } catch {
      // Tried again with the next batch; a restart before that would still find the gap, but not the reason.
    }
  }

  private fails(error: unknown): void {
    if (!this.failing)
      this.log.error(
        `the spool cannot be written (${sentenceOf(error)}): changes are kept in memory only, up to 4 MB; make room on its disk`,
      )
    this.failing = true
  }

  private batchesFrom(from: number, maxBatches: number, maxBytes: number): Batch[] {
    const found: Batch[] = []
    let room = maxBytes
    for (let next = from; next <= this.lastNumber && found.length < maxBatches; ) {
      const run = this.runFrom(next, maxBatches - found.length, room)
      for (const batch of run) {
        room -= batch.payload.length
        if (found.length > 0 && room < 0) return found
        found.push(batch)
        next = batch.seq + 1
      }
      if (run.length === 0) break
    }
    return found
  }

  /** Some batches from number `next` on: one gap, or what memory or one segment has up to the next gap. */
  private runFrom(next: number, maxBatches: number, maxBytes: number): Batch[] {
    const lost = this.losses.at(next)
    if (lost) return [gap(next, lost.to, lost.time, lost.reason)]
    const untilLoss = Math.min(maxBatches, (this.losses.nextAfter(next) ?? Number.POSITIVE_INFINITY) - next)
    const inMemory = this.memory.after(next - 1)
    if (inMemory?.seq === next) return this.fromMemory(next, untilLoss, maxBytes)
    const segment = this.shelf.holding(next)
    if (segment) {
      try {
        return segment.read(next, untilLoss, maxBytes)
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code
        const gone = error instanceof UnreadableError || code === 'EIO' || code === 'ENOENT'
        this.log.error(`the spool cannot be read: ${sentenceOf(error)}`)
        if (!gone) return []
        this.lose(next, segment.last, 'the spool could not be read back from its disk')
        return this.runFrom(next, maxBatches, maxBytes)
      }
    }
    const ends = [this.shelf.nextAfter(next), this.losses.nextAfter(next), inMemory?.seq, this.lastNumber + 1]
    const to = Math.min(...ends.filter((end) => end !== undefined)) - 1
    const reason =
      to <= this.trimmed ? 'acknowledged earlier, but the store no longer has them' : 'missing in the spool'
    return [gap(next, to, Date.now(), reason)]
  }

  private fromMemory(next: number, maxBatches: number, maxBytes: number): Batch[] {
    const run: Batch[] = []
    let bytes = 0
    for (let batch = this.memory.after(next - 1); batch?.seq === next; batch = this.memory.after(next - 1)) {
      bytes += batch.payload.length
      if (run.length >= maxBatches || (run.length > 0 && bytes > maxBytes)) break
      run.push(batch)
      next++
    }
    return run
  }
}

function take(folder: string, log: Log): () => void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new Error(
      `the spool folder ${folder} cannot be made: ${sentenceOf(error)}; the agent needs it to start`,
    )
  }
  return lockFolder(folder, log, {
    what: 'the spool folder',
    advice: 'stop that agent first, or give this one its own folder',
  })
}

function gap(from: number, to: number, time: number, reason: string): Batch {
  return { prev: from - 1, seq: to, time, payload: `G\t${from}\t${to}\t${reason}` }
}
