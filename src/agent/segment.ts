import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import type { Header, SpoolRecord } from './frame.ts'
import { decodeHeader, decodeRecord, encodeHeader, encodeRecord, HEADER_BYTES } from './frame.ts'
import type { Lost } from './losses.ts'

/** A numbered batch. `prev` is the number it follows, `time` milliseconds since the epoch by the agent's clock. */
export interface Batch {
  readonly prev: number
  readonly seq: number
  readonly time: number
  readonly payload: string
}

/**
 * One file of the spool. Its batches follow each other without a hole, so the position of batch `seq` is
 * `starts[seq - first]`. Only the process that created a segment appends to it; a later life writes a new
 * one.
 */
export class Segment {
  readonly path: string
  header: Header
  /** Whether the file's own header says that the chapter is settled; until then it inherits from an older one. */
  settledOnDisk: boolean
  private readonly starts: number[]
  private end: number
  private file: number | undefined

  private constructor(path: string, header: Header, starts: number[], end: number, file?: number) {
    this.path = path
    this.header = header
    this.settledOnDisk = header.settled
    this.starts = starts
    this.end = end
    this.file = file
  }

  /** Makes a new file. Throws what the file system throws, and then leaves no file. */
  static create(path: string, header: Header): Segment {
    const file = openSync(path, 'wx', 0o600)
    try {
      writeWhole(file, encodeHeader(header), 0)
    } catch (error) {
      closeSync(file)
      unlinkSync(path)
      throw error
    }
    return new Segment(path, header, [], HEADER_BYTES, file)
  }

  /**
   * Reads a file of an earlier life up to its first bad record, and cuts it there. `lost` are the ranges that
   * it tells of, as written; `cutBytes` is what was cut. Undefined if not even the header can be believed.
   */
  static load(path: string): { segment: Segment; lost: Lost[]; cutBytes: number } | undefined {
    const bytes = readFileSync(path)
    const header = decodeHeader(bytes)
    if (!header) return undefined
    const starts: number[] = []
    const lost: Lost[] = []
    let end = HEADER_BYTES
    for (let next = decodeRecord(bytes, end); next; next = decodeRecord(bytes, end)) {
      const { record } = next
      if (record.kind === 'lost')
        lost.push({ from: record.from, to: record.to, time: record.time, reason: record.text })
      else if (record.seq === header.first + starts.length) starts.push(end)
      else break
      end = next.end
    }
    const cutBytes = bytes.length - end
    if (cutBytes > 0) {
      try {
        truncateSync(path, end)
      } catch {
        // a file system that is read-only: the bad tail is passed over again at the next open
      }
    }
    return { segment: new Segment(path, header, starts, end), lost, cutBytes }
  }

  /** Number of the first batch, and of the last (first - 1 if there is none). */
  get first(): number {
    return this.header.first + this.header.shift
  }
  get last(): number {
    return this.first + this.starts.length - 1
  }
  get bytes(): number {
    return this.end
  }

  /** Bytes from batch `seq` (or the first after it) to the end of the file. */
  bytesFrom(seq: number): number {
    const start = this.starts[Math.max(0, seq - this.first)]
    return start === undefined ? 0 : this.end - start
  }

  /**
   * Writes one record at the end. Throws what the file system throws; the end is then where it was, so that
   * the next record overwrites what may have been written in part.
   */
  append(record: SpoolRecord): void {
    if (this.file === undefined) throw new Error(`${this.path} is not open for writing`)
    const frame = encodeRecord(record)
    try {
      writeWhole(this.file, frame, this.end)
    } catch (error) {
      try {
        ftruncateSync(this.file, this.end)
      } catch {
        // the torn record stays behind the end, where load() would cut it
      }
      throw error
    }
    if (record.kind === 'batch') this.starts.push(this.end)
    this.end += frame.length
  }

  /** Batches from `seq` on, within both bounds but at least one. Throws if batch `seq` cannot be read. */
  read(seq: number, maxBatches: number, maxBytes: number): Batch[] {
    const from = seq - this.first
    const start = this.starts[from] ?? this.end
    let to = from + 1
    const endOf = (i: number) => this.starts[i] ?? this.end
    while (to < this.starts.length && to - from < maxBatches && endOf(to + 1) - start <= maxBytes) to++
    const bytes = Buffer.allocUnsafe(endOf(to) - start)
    const file = openSync(this.path, 'r')
    let got = 0
    try {
      for (let n = -1; n !== 0 && got < bytes.length; got += n) {
        n = readSync(file, bytes, got, bytes.length - got, start + got)
      }
    } finally {
      closeSync(file)
    }
    const batches: Batch[] = []
    for (let i = from; i < to; i++) {
      const record = decodeRecord(bytes.subarray(0, got), endOf(i) - start)?.record
      if (record?.kind !== 'batch' || record.seq + this.header.shift !== this.first + i) break
      const number = this.first + i
      batches.push({ prev: number - 1, seq: number, time: record.time, payload: record.text })
    }
    if (batches.length === 0) throw new UnreadableError(`batch ${seq} in ${this.path} is corrupt`)
    return batches
  }

  /**
   * Makes the numbering of this segment final, shifted by `shift`, on the disk and synced. The header lies
   * within one sector and is overwritten in place: it needs no room on a full disk and is not torn by a power
   * loss. Throws what the file system throws.
   */
  settle(shift: number): void {
    const header = { ...this.header, shift, settled: true }
    const file = openSync(this.path, 'r+')
    try {
      writeWhole(file, encodeHeader(header), 0)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    this.header = header
    this.settledOnDisk = true
  }

  /** No more is appended to this segment. */
  close(): void {
    if (this.file !== undefined) closeSync(this.file)
    this.file = undefined
  }

  /** Deletes the file. Throws what the file system throws, unless it is gone already. */
  remove(): void {
    try {
      unlinkSync(this.path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    this.close()
  }
}

/** The bytes on the disk are not the batch that was written there. */
export class UnreadableError extends Error {}

function writeWhole(file: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(file, bytes, done, bytes.length - done, position + done)
  }
}
