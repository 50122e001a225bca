import type { Batch } from './segment.ts'

/** What a batch weighs in memory beside its text, roughly. */
const OVERHEAD = 100

/** The newest batches, in order of their numbers, so that what was just appended is not read back from the disk. */
export class Recent {
  private items: Batch[] = []
  /** Index of the first item that still counts: taking from the front must not move the others each time. */
  private head = 0
  private weight = 0

  /** About how many bytes of memory they take. */
  get bytes(): number {
    return this.weight
  }
  /** Number of the oldest, or undefined if there is none. */
  get first(): number | undefined {
    return this.items[this.head]?.seq
  }

  push(batch: Batch): void {
    this.items.push(batch)
    this.weight += batch.payload.length + OVERHEAD
  }

  shift(): Batch | undefined {
    const batch = this.items[this.head]
    if (!batch) return undefined
    this.weight -= batch.payload.length + OVERHEAD
    this.head++
    if (this.head > 1000 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head)
      this.head = 0
    }
    return batch
  }

  dropThrough(seq: number): void {
    for (let first = this.first; first !== undefined && first <= seq; first = this.first) this.shift()
  }

  /** The oldest whose number is above `seq`. */
  after(seq: number): Batch | undefined {
    return this.items[this.indexAfter(seq)]
  }

  countAfter(seq: number): number {
    return this.items.length - this.indexAfter(seq)
  }

  bytesAfter(seq: number): number {
    let bytes = 0
    for (let i = this.indexAfter(seq); i < this.items.length; i++) bytes += this.items[i]!.payload.length
    return bytes
  }

  /** Numbers become larger by `by`; what is at or below `base` is forgotten. */
  renumber(base: number, by: number): void {
    this.dropThrough(base)
    this.items = this.items
      .slice(this.head)
      .map((batch) => ({ ...batch, prev: batch.prev + by, seq: batch.seq + by }))
    this.head = 0
  }

  private indexAfter(seq: number): number {
    let low = this.head
    let high = this.items.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.items[middle]!.seq <= seq) low = middle + 1
      else high = middle
    }
    return low
  }
}
