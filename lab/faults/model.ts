/**
 * What the store has to do with the batches of one agent, done once more by other means: the rules are those of
 * `carry_out` in src/store/netq.lua (docs/architecture.md, "The batch"), which it is held against.
 */
export class StateModel {
  /** "<table>\t<key>" -> the row as JSON. */
  readonly rows = new Map<string, string>()
  private readonly readings = new Map<string, Set<string>>()

  /** Carries the lines of a payload out. @returns the lines that the log has to keep */
  apply(payload: string): string[] {
    return payload.split('\n').flatMap((line) => this.line(line))
  }

  /** What `apply` would return, without doing it. */
  preview(payload: string): string[] {
    return this.copy().apply(payload)
  }

  copy(): StateModel {
    const copy = new StateModel()
    for (const [at, row] of this.rows) copy.rows.set(at, row)
    for (const [table, seen] of this.readings) copy.readings.set(table, new Set(seen))
    return copy
  }

  private line(line: string): string[] {
    const [op, table = '', key = '', row = ''] = line.split('\t')
    const at = `${table}\t${key}`
    switch (op) {
      case 'P':
        this.rows.set(at, row)
        return [line]
      case 'D':
        this.rows.delete(at)
        return [line]
      case 'B':
        this.readings.set(table, new Set())
        return []
      case 'S': {
        this.readings.get(table)?.add(at)
        if (this.rows.get(at) === row) return []
        this.rows.set(at, row)
        return [`P${line.slice(1)}`]
      }
      case 'E':
        return this.endOfReading(table)
      case 'G':
        // The gap may have taken rows of the readings under way: their ends delete nothing.
        this.readings.clear()
        return [line]
      default:
        return []
    }
  }

  private endOfReading(table: string): string[] {
    const seen = this.readings.get(table)
    if (!seen) return []
    this.readings.delete(table)
    const gone = [...this.rows.keys()].filter((at) => at.startsWith(`${table}\t`) && !seen.has(at))
    for (const at of gone) this.rows.delete(at)
    return gone.map((at) => `D\t${at}`)
  }
}
