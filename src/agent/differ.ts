import type { Row, Table } from '../tables/table.ts'
import { keyOf } from '../tables/table.ts'

/** Bounds of one batch. A single line that is longer than the bytes still goes, alone. */
const MAX_LINES = 500
const MAX_BYTES = 256 * 1024
/** What the store takes. */
const MAX_KEY_BYTES = 1024

/**
 * Turns readings into payloads of batches (docs/architecture.md says what the lines mean; they are joined by
 * line feeds, without one at the end). Keeps, per table, the last row of each key as JSON text and nothing
 * else.
 *
 * A reading with the same key twice counts its last row. A row that does not have exactly the declared fields
 * makes a method throw one sentence; what was known of the table is then unchanged.
 */
export class Differ {
  private readonly known = new Map<string, Map<string, string>>()

  /** The names of the tables that were read so far. */
  tables(): string[] {
    return [...this.known.keys()]
  }

  /** The payloads of a full reading of the table, in the order in which they must be sent; at least one. */
  full(table: Table, rows: readonly Row[]): string[] {
    const now = textsOf(table, rows)
    this.known.set(table.name, now)
    const lines = new Payloads()
    lines.add(`B\t${table.name}`)
    for (const [key, text] of now) lines.add(`S\t${table.name}\t${key}\t${text}`)
    lines.add(`E\t${table.name}`)
    return lines.end()
  }

  /**
   * The payloads of what is different from the last reading; none if nothing is. The first reading of a table
   * has nothing to be compared with, so it is a full one.
   */
  changes(table: Table, rows: readonly Row[]): string[] {
    const before = this.known.get(table.name)
    if (!before) return this.full(table, rows)
    const now = textsOf(table, rows)
    const lines = new Payloads()
    for (const key of before.keys()) if (!now.has(key)) lines.add(`D\t${table.name}\t${key}`)
    for (const [key, text] of now) {
      if (before.get(key) !== text) lines.add(`P\t${table.name}\t${key}\t${text}`)
    }
    this.known.set(table.name, now)
    return lines.end()
  }
}

function textsOf(table: Table, rows: readonly Row[]): Map<string, string> {
  const names = table.fields.map((field) => JSON.stringify(field))
  const texts = new Map<string, string>()
  for (const row of rows) {
    const key = keyOf(table, row)
    if (key === '' || Buffer.byteLength(key) > MAX_KEY_BYTES)
      throw new Error(
        `a row of table ${table.name} has a key of ${key.length} characters, which the store would refuse; the rows stay as they were`,
      )
    texts.set(key, textOf(table, names, row))
  }
  return texts
}

function textOf(table: Table, names: readonly string[], row: Row): string {
  let text = ''
  for (const [i, field] of table.fields.entries()) {
    const value = row[field]
    if (value === undefined || (typeof value === 'number' && !Number.isFinite(value)))
      throw new Error(
        `a row of table ${table.name} has no usable ${field}: ${JSON.stringify(row)}; the rows stay as they were`,
      )
    // JSON text has no tab and no line end: inside of strings they are escaped.
    text += `${i === 0 ? '{' : ','}${names[i]}:${JSON.stringify(value)}`
  }
  for (const field in row) {
    if (!table.fields.includes(field))
      throw new Error(
        `a row of table ${table.name} has the undeclared field ${field}; the rows stay as they were`,
      )
  }
  return `${text}}`
}

/** Gathers lines into payloads within the bounds of a batch. */
export class Payloads {
  private readonly done: string[] = []
  private lines: string[] = []
  private bytes = 0

  add(line: string): void {
    const bytes = Buffer.byteLength(line) + 1
    if (this.lines.length >= MAX_LINES || (this.lines.length > 0 && this.bytes + bytes > MAX_BYTES))
      this.cut()
    this.lines.push(line)
    this.bytes += bytes
  }

  end(): string[] {
    this.cut()
    return this.done
  }

  private cut(): void {
    if (this.lines.length > 0) this.done.push(this.lines.join('\n'))
    this.lines = []
    this.bytes = 0
  }
}
