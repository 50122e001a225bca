/**
 * What a network table is. One declaration a table: the agent collects by it, the store keeps its rows,
 * `netq show` takes its grammar, filters and columns from it. A new `show X` is one file here and one fixture.
 *
 * Nothing in this folder imports anything above it: a declaration is data and pure functions.
 */

/** A value of a field. Rows are flat but for lists, so that equality is equality of their JSON text. */
export type Value = string | number | boolean | readonly string[] | null

/** A row as the agent makes it and the store keeps it: fields by their camelCase name, in declared order. */
export type Row = Readonly<Record<string, Value>>

/** A row as it comes back from the store, for one host. Times are milliseconds since the epoch. */
export interface StoredRow {
  readonly hostname: string
  readonly row: Row
  /** When the agent saw the change, by the agent's clock. */
  readonly agentTime: number
  /** When the master took it, by the master's clock. */
  readonly serverTime: number
}

/**
 * One program whose output a table is read from. Two tables that name the same argv share one run of it.
 * A program that is not installed is reported once and its tables are left out; that is not an error.
 */
export interface Source {
  readonly argv: readonly string[]
  /** The object names of `ip monitor` that make this source worth reading again, e.g. ['link']. Empty: periodic read only. */
  readonly triggers: readonly string[]
  /** Periodic readings of which one runs it, default 1: for a program that costs much and whose news can wait. */
  readonly oneIn?: number
}

/** What a `show` command may filter and print, as the operator typed it: names are those of the usage line. */
export type Arguments = Readonly<Record<string, string | true>>

export interface Column {
  readonly head: string
  /** The cell's text. `now` (ms since the epoch) is given for ages. */
  cell(stored: StoredRow, now: number): string
}

/** One `netq [<hostname>] show ...` command over a table. */
export interface Show {
  /** Usage after `netq [<hostname>] `, e.g. `show interfaces [<remote-interface>] [state <state>] [count] [json]`. */
  readonly usage: string
  readonly summary: string
  readonly columns: readonly Column[]
  /**
   * Reads the arguments once and returns whether a row is asked for. Without it, every row is.
   * Throws an Error with one clear sentence if an argument is not what it has to be.
   */
  filter?(args: Arguments): (stored: StoredRow) => boolean
  /**
   * A table with the same keys whose fields complete these rows, e.g. what changes too often to be part of them. When
   * it changed last does not count.
   */
  readonly completedBy?: Table
}

/** A row before and after a change; a row that is new or gone lacks one of them. */
export interface Change {
  readonly hostname: string
  readonly before?: Row
  readonly after?: Row
}

/** What a change of a row means to an operator (notifier/types.ts says more of each field). */
export interface Happening {
  readonly type: string
  readonly severity: 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL'
  /** One line, e.g. `LINK: leaf01 swp5: state changed from up to down`. */
  readonly message: string
  /** What it is about on its host, e.g. `swp5`. */
  readonly about: string
  /** The end of a trouble that an earlier change told of. */
  readonly recovers?: true
}

export interface Table {
  /** The name in the store, in `Matching <name> records:` and as the key of the JSON answer. [a-z][a-z0-9-]* */
  readonly name: string
  readonly sources: readonly Source[]
  /** Field names in the order in which rows carry them; every row has exactly these. */
  readonly fields: readonly string[]
  /** The fields that identify a row on its host. */
  readonly keys: readonly string[]
  /**
   * Rows from the sources' standard outputs, in the order of `sources` (undefined: that program is not installed).
   * Throws an Error with one clear sentence if an output is not what the program is known to print.
   */
  parse(outputs: readonly (string | undefined)[]): Row[]
  readonly shows: readonly Show[]
  /** What an operator is told of a change, if anything. Pure; must bear fields that are missing or of a wrong type. */
  happening?(change: Change): Happening | undefined
}

/** The identity of a row on its host: its key fields joined by a space. Tabs and line ends never occur in it. */
export function keyOf(table: Table, row: Row): string {
  return table.keys.map((field) => String(row[field] ?? '').replace(/[\x00-\x1f]/g, '?')).join(' ')
}
