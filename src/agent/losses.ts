/** Numbers from..to (inclusive) that will never be sent as they were, and why. */
export interface Lost {
  readonly from: number
  readonly to: number
  /** When they were lost, ms since the epoch. */
  readonly time: number
  readonly reason: string
}

/** The ranges of lost numbers, in order and apart. Neighbours that were lost for the same reason are one range. */
export class Losses {
  private ranges: Lost[] = []

  get all(): readonly Lost[] {
    return this.ranges
  }

  /** Adds a range; where it overlaps an earlier one, the new reason holds. Returns the range it became part of. */
  add(lost: Lost): Lost {
    // The reason becomes a field of a gap's line: it may have neither tab nor line end, and may not be empty.
    const reason = lost.reason.replace(/[\x00-\x1f]+/g, ' ').trim() || 'no reason was given'
    let joined: Lost = { ...lost, reason }
    const others: Lost[] = []
    for (const range of this.ranges) {
      const touches = range.to + 1 >= joined.from && range.from <= joined.to + 1
      if (touches && range.reason === joined.reason) {
        joined = {
          from: Math.min(range.from, joined.from),
          to: Math.max(range.to, joined.to),
          time: Math.min(range.time, joined.time),
          reason: joined.reason,
        }
        continue
      }
      if (range.from < joined.from) others.push({ ...range, to: Math.min(range.to, joined.from - 1) })
      if (range.to > joined.to) others.push({ ...range, from: Math.max(range.from, joined.to + 1) })
    }
    this.ranges = [...others, joined].sort((a, b) => a.from - b.from)
    return joined
  }

  at(seq: number): Lost | undefined {
    return this.ranges.find((range) => range.from <= seq && seq <= range.to)
  }

  /** The first lost number after `seq`. */
  nextAfter(seq: number): number | undefined {
    return this.ranges.find((range) => range.from > seq)?.from
  }

  dropThrough(seq: number): void {
    if (this.ranges.length === 0) return
    this.ranges = this.ranges
      .filter((range) => range.to > seq)
      .map((range) => ({ ...range, from: Math.max(range.from, seq + 1) }))
  }

  /** Numbers above `base` become larger by `by`; what is at or below `base` is forgotten. */
  renumber(base: number, by: number): void {
    this.dropThrough(base)
    this.ranges = this.ranges.map((range) => ({ ...range, from: range.from + by, to: range.to + by }))
  }
}
