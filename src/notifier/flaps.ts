import type { Placed } from './events.ts'

/** So many events of one subject within this time are flapping. */
const TIMES = 4
const WITHIN_MS = 60_000
/** Subjects remembered at most; the oldest are forgotten first. */
const SUBJECTS = 20_000
/** Events remembered of a subject at most. Each is compared with these: without a bound 50,000 of one took 40 s. */
const EVENTS = 100

/**
 * Says of what comes and goes that it does: an operator who reads `up` needs to know that it was down three times in the
 * last minute. Nothing is held back, so that the last message is the state of now. Marking the same events again says
 * the same; what happened before this server was the master is not counted.
 */
export class Flaps {
  /** Subject -> event id -> time. */
  private readonly recent = new Map<string, Map<string, number>>()

  marked(placed: readonly Placed[]): Placed[] {
    return placed.map((one) => {
      const { event } = one
      const count = this.count(event.subject, event.id, event.time)
      if (count < TIMES) return one
      const changes = count < EVENTS ? `${count} changes` : `${EVENTS} changes or more`
      const message = `${event.message} (flapping: ${changes} within ${WITHIN_MS / 1000} s)`
      return { ...one, event: { ...event, message } }
    })
  }

  private count(subject: string, id: string, time: number): number {
    const times = this.recent.get(subject) ?? new Map<string, number>()
    times.set(id, time)
    if (times.size > EVENTS) times.delete(times.keys().next().value!)
    this.recent.delete(subject)
    this.recent.set(subject, times)
    if (this.recent.size > SUBJECTS) this.recent.delete(this.recent.keys().next().value!)
    let count = 0
    for (const [known, at] of times) {
      // What is newer is kept: a batch that failed is marked again.
      if (at < time - 10 * WITHIN_MS) times.delete(known)
      else if (at > time - WITHIN_MS && at <= time) count += 1
    }
    return count
  }
}
