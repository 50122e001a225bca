import type { Notification, Sent } from '../types.ts'

/** What became of one message to a receiver. Problems are sentences without secrets. */
export type Delivery =
  /** `count`: how many of the notifications were in it, from the first; absent: all. */
  | { readonly outcome: 'taken'; readonly count?: number }
  | { readonly outcome: 'later'; readonly problem: string; readonly retryAfterMs?: number }
  | { readonly outcome: 'refused'; readonly problem: string }

/**
 * Sends notifications in messages that have several of them. When the receiver refuses a message, half as many are tried,
 * until the one is found that it will not take: no other is lost by it. After that one the messages begin small and double,
 * so that a receiver that refuses everything is asked once for each notification and not nine times (500 halved).
 */
export class Batches {
  private readonly limit: number
  private most: number

  /** @param limit how many notifications a message may have */
  constructor(limit: number) {
    this.limit = limit
    this.most = limit
  }

  async send(
    notifications: readonly Notification[],
    deliver: (some: readonly Notification[]) => Promise<Delivery>,
  ): Promise<Sent> {
    let taken = 0
    while (taken < notifications.length) {
      const some = notifications.slice(taken, taken + this.most)
      const delivery = await deliver(some)
      if (delivery.outcome === 'taken') {
        taken += delivery.count ?? some.length
        this.most = Math.min(this.limit, this.most * 2)
      } else if (delivery.outcome === 'later') {
        const { problem, retryAfterMs } = delivery
        return { taken, problem, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
      } else if (some.length === 1) {
        return { taken, problem: delivery.problem, refused: true }
      } else {
        this.most = Math.ceil(some.length / 2)
      }
    }
    return { taken }
  }
}
