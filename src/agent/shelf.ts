import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../platform/log.ts'
import type { Header } from './frame.ts'
import { HEADER_BYTES } from './frame.ts'
import { Losses } from './losses.ts'
import { Segment } from './segment.ts'

const NAME = /^(\d{10})\.seg$/

/** The segment files of a spool folder, oldest first; the last one may be open for writing (`active`). */
export class Shelf {
  private readonly folder: string
  private segments: Segment[]
  private nextFile: number
  active: Segment | undefined

  private constructor(folder: string, segments: Segment[], nextFile: number) {
    this.folder = folder
    this.segments = segments
    this.nextFile = nextFile
  }

  /** What the folder holds, with every bad tail cut. Throws what the file system throws. */
  static load(folder: string, log: Log): { shelf: Shelf; losses: Losses } {
    const segments: Segment[] = []
    const losses = new Losses()
    const names = readdirSync(folder)
      .filter((name) => NAME.test(name))
      .sort()
    for (const name of names) {
      const path = join(folder, name)
      const loaded = Segment.load(path)
      if (!loaded) {
        // A file shorter than its header was being made when the agent was killed: nothing was in it.
        if (statSync(path).size >= HEADER_BYTES)
          log.warning(
            `${path} cannot be read and was removed; the batches in it are reported to the store as lost`,
          )
        rmSync(path)
        continue
      }
      const { segment, lost, cutBytes } = loaded
      if (cutBytes > 0)
        log.warning(`${path} was cut by ${cutBytes} bytes: they are not whole after batch ${segment.last}`)
      inherit(segments.at(-1), segment)
      segments.push(segment)
      const { base, shift } = segment.header
      for (const range of lost) {
        if (shift === 0) losses.add(range)
        else if (range.to > base)
          losses.add({ ...range, from: Math.max(range.from, base + 1) + shift, to: range.to + shift })
      }
    }
    const nextFile = 1 + Number(NAME.exec(names.at(-1) ?? '')?.[1] ?? 0)
    return { shelf: new Shelf(folder, segments, nextFile), losses }
  }

  get all(): readonly Segment[] {
    return this.segments
  }
  /** Bytes of all files together. */
  get bytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.bytes, 0)
  }

  /** The segment that holds batch `seq`. */
  holding(seq: number): Segment | undefined {
    return this.segments.find((segment) => segment.first <= seq && seq <= segment.last)
  }

  /** The first number after `seq` that a segment holds. */
  nextAfter(seq: number): number | undefined {
    return this.segments.find((segment) => segment.first > seq && segment.last >= segment.first)?.first
  }

  /** Begins a new file, to which is written from now on. Throws what the file system throws. */
  roll(header: Header): Segment {
    const path = join(this.folder, `${String(this.nextFile).padStart(10, '0')}.seg`)
    const segment = Segment.create(path, header)
    this.nextFile++
    this.closeActive()
    this.segments.push(segment)
    this.active = segment
    return segment
  }

  closeActive(): void {
    this.active?.close()
    this.active = undefined
  }

  /** Deletes the oldest file and returns it. Throws what the file system throws; the file is then still there. */
  removeOldest(): Segment | undefined {
    const [oldest, heir] = this.segments
    if (!oldest) return undefined
    // The oldest segment of a chapter says for the whole chapter how it was numbered.
    const { chapter, settled, shift } = oldest.header
    if (heir?.header.chapter === chapter && settled && !heir.settledOnDisk) heir.settle(shift)
    oldest.remove()
    if (this.active === oldest) this.active = undefined
    this.segments = this.segments.slice(1)
    return oldest
  }

  /** Deletes files that hold nothing above `seq`; the newest stays, because it says what the next number is. */
  trim(seq: number): void {
    for (let oldest = this.segments[0]; oldest && oldest.last <= seq; oldest = this.segments[0]) {
      if (this.segments.length === 1 || oldest === this.active) return
      this.removeOldest()
    }
  }
}

/** A chapter was settled, but the agent was killed before all of its files said so: the older file holds. */
function inherit(older: Segment | undefined, newer: Segment): void {
  if (older?.header.chapter !== newer.header.chapter || !older.header.settled) return
  newer.header = { ...newer.header, settled: true, shift: older.header.shift }
}
