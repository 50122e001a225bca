import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import type { Batch } from '../../src/agent/spool.ts'

/**
 * What happened to one agent, a line each, fields separated by tabs. The first field says what, the second when, in
 * milliseconds of the machine's monotonic clock, which no fault touches and which all processes share:
 *
 * | line | meaning |
 * |---|---|
 * | `start time life` | a process of the agent begins, its first or another one |
 * | `made time prev seq payload` | it made this batch, and it is in the spool (payload: as a JSON string) |
 * | `ok time seq ip` | this server acknowledged everything up to this number |
 * | `holds time rows` | what the node has now, while nothing changes: key -> row, as JSON |
 *
 * Each line is written before the agent goes on. write(2) is enough: the file outlives a kill -9 of who wrote it.
 */
export type Entry =
  | { readonly what: 'start'; readonly time: number; readonly life: number }
  | {
      readonly what: 'made'
      readonly time: number
      readonly prev: number
      readonly seq: number
      readonly payload: string
    }
  | { readonly what: 'ok'; readonly time: number; readonly seq: number; readonly ip: string }
  | { readonly what: 'holds'; readonly time: number; readonly rows: Readonly<Record<string, string>> }

/** Milliseconds since the machine started. */
export function monotonic(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}

/** Writes one agent's journal. */
export class JournalWriter {
  private readonly file: number
  private acknowledged = -1
  private from = ''

  constructor(path: string) {
    this.file = openSync(path, 'a')
  }

  start(life: number): void {
    this.line('start', life)
  }

  spooled({ prev, seq, payload }: Pick<Batch, 'prev' | 'seq' | 'payload'>): void {
    this.line('made', prev, seq, JSON.stringify(payload))
  }

  acknowledgedBy(seq: number, ip: string): void {
    // Every connection begins with the mark, which tells nothing new unless another server says it.
    if (seq === this.acknowledged && ip === this.from) return
    this.acknowledged = seq
    this.from = ip
    this.line('ok', seq, ip)
  }

  holds(rows: ReadonlyMap<string, string>): void {
    this.line('holds', JSON.stringify(Object.fromEntries(rows)))
  }

  private line(what: Entry['what'], ...fields: readonly (string | number)[]): void {
    writeSync(this.file, `${[what, monotonic(), ...fields].join('\t')}\n`)
  }
}

/** Reads a journal as it grows. */
export class JournalReader {
  private readonly path: string
  private at = 0
  private partial = Buffer.alloc(0)

  constructor(path: string) {
    this.path = path
  }

  /** What was written since the last time; a line that is being written is left for the next. */
  news(): Entry[] {
    let file: number
    try {
      file = openSync(this.path, 'r')
    } catch {
      // The agent has not begun yet.
      return []
    }
    try {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - this.at))
      const read = readSync(file, bytes, 0, bytes.length, this.at)
      this.at += read
      const text = Buffer.concat([this.partial, bytes.subarray(0, read)])
      const end = text.lastIndexOf(10) + 1
      this.partial = text.subarray(end)
      return text.toString('utf8', 0, end).split('\n').slice(0, -1).map(entryOf)
    } finally {
      closeSync(file)
    }
  }
}

function entryOf(line: string): Entry {
  const [what, at, first = '', second = '', third = ''] = line.split('\t')
  const time = Number(at)
  switch (what) {
    case 'start':
      return { what, time, life: Number(first) }
    case 'made':
      return { what, time, prev: Number(first), seq: Number(second), payload: JSON.parse(third) }
    case 'ok':
      return { what, time, seq: Number(first), ip: second }
    case 'holds':
      return { what, time, rows: JSON.parse(first) }
    default:
      throw new Error(`a journal has a line that is none: ${line.slice(0, 80)}`)
  }
}
