/** Random numbers that are the same for the same seed, on every machine: what happened once can be made to happen again. */
export class Random {
  private state: number

  /** @param seeds whole numbers; another one anywhere gives other numbers */
  constructor(...seeds: readonly number[]) {
    this.state = 0x9e3779b9
    for (const seed of seeds) {
      this.state = (this.state ^ Math.imul(seed + 1, 0x85ebca6b)) | 0
      this.next()
    }
  }

  /** From 0 (included) to 1 (excluded): mulberry32, whose 32 bits are plenty for choosing faults. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  one<T>(of: readonly T[]): T {
    return of[this.between(0, of.length - 1)]!
  }

  /** One of them; one that weighs twice as much comes twice as often. */
  weighed<T>(of: readonly T[], weight: (one: T) => number): T {
    let left = this.next() * of.reduce((sum, one) => sum + weight(one), 0)
    for (const one of of) {
      left -= weight(one)
      if (left < 0) return one
    }
    return of.at(-1)!
  }

  /** The same ones in any order. */
  shuffled<T>(of: readonly T[]): T[] {
    const left = [...of]
    return of.map(() => left.splice(this.between(0, left.length - 1), 1)[0]!)
  }
}
