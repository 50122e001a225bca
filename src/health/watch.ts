/** What the watch itself needs of a look at the servers; whoever hands it over gets it back whole. */
interface Watched {
  readonly self: string
  readonly mine: {
    readonly redis?: {
      readonly role: 'master' | 'replica'
      readonly follows?: string
      readonly clusterId: string
      readonly marker: number
      readonly markerTime: number
    }
  }
}

/** A mark of the master: its number, when it was written (ms since the epoch), and in which cluster by whom. */
interface Mark {
  readonly n: number
  readonly time: number
  readonly clusterId: string
  readonly by: string
}

/** A server that saw the new master's marks later than this, by their number, does not know how long the gap was. */
const MARKS_MISSED = 3

/**
 * Keeps what the control loop saw last, and how it goes. Told by the loop, it costs a few assignments a round and asks
 * nobody. Ages are by a clock that cannot be set, so that a corrected time of day does not look like a loop that stands.
 */
export class Watch<View extends Watched> {
  private seen: { view: View; at: number } | undefined
  private ended = performance.now()
  private mark: Mark | undefined
  /** Rounds since the start. */
  rounds = 0
  /**
   * How long writes were interrupted at the last change of master, in milliseconds: from the former master's last mark to
   * the first that was seen of the present one. It is never longer, and up to a second or two shorter: marks come every
   * second. Undefined if this server did not see that change.
   */
  gapMs: number | undefined

  /** The loop has seen this; it asked at `at` (performance.now()). */
  looked(view: View, at: number): void {
    this.seen = { view, at }
    const { redis } = view.mine
    const by = redis?.role === 'master' ? view.self : redis?.follows
    if (!redis || by === undefined) return
    const mark = { n: redis.marker, time: redis.markerTime, clusterId: redis.clusterId, by }
    const before = this.mark
    if (before?.clusterId === mark.clusterId && before.by !== by) {
      // What is in the copy is still the former master's.
      if (mark.n <= before.n) return
      this.gapMs = mark.n - before.n <= MARKS_MISSED ? mark.time - before.time : undefined
    }
    this.mark = mark
  }

  /** A round of the loop has ended, well or not. */
  roundEnded(): void {
    this.rounds += 1
    this.ended = performance.now()
  }

  /** How long ago the last round ended, or the start was; milliseconds. */
  get roundAgeMs(): number {
    return performance.now() - this.ended
  }

  /** The last look and its age in milliseconds; undefined before the first. */
  get last(): { view: View; ageMs: number } | undefined {
    return this.seen && { view: this.seen.view, ageMs: performance.now() - this.seen.at }
  }
}
