/** How far in the log a receiver was told: up to and with this line of this entry. */
export interface Cursor {
  readonly entry: string
  readonly line: number
}

const END = Number.MAX_SAFE_INTEGER

/** Up to and with the last line of an entry. */
export function whole(entry: string): Cursor {
  return { entry, line: END }
}

export function isWhole({ line }: Cursor): boolean {
  return line === END
}

/** "<entry>.<line>", or "<entry>" for the whole of it. */
export function textOf(cursor: Cursor): string {
  return isWhole(cursor) ? cursor.entry : `${cursor.entry}.${cursor.line}`
}

/** Undefined if the text is no cursor. */
export function parseCursor(text: string | undefined): Cursor | undefined {
  const [, entry, line] = /^(\d+-\d+)(?:\.(\d+))?$/.exec(text ?? '') ?? []
  return entry === undefined ? undefined : { entry, line: line === undefined ? END : Number(line) }
}

/** How often the cursor of a lane with nothing to tell is written, in milliseconds of log. */
const QUIET_STEP_MS = 10_000

/** Whether `end` is so far past the cursor that it is worth writing down. */
export function beyond(end: Cursor, cursor: Cursor): boolean {
  return timeOf(end) - timeOf(cursor) > QUIET_STEP_MS
}

/** When the entry was written, ms since the epoch by the master's clock. */
export function timeOf({ entry }: Cursor): number {
  return Number(entry.slice(0, entry.indexOf('-')))
}
