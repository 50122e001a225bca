/** What the notifier tells, and whom: the words that its parts share. */

import type { Event } from '../api/notifications.ts'

export { type Event, SEVERITIES, type Severity } from '../api/notifications.ts'

/** An event on its way through one channel, with the name of the filter that sent it there. */
export interface Notification {
  readonly event: Event
  readonly filter: string
}

/** How far a channel came with the notifications that it was given, in their order. */
export interface Sent {
  /** So many, from the first, were taken by the receiver: they are never given again. */
  readonly taken: number
  /** Why the next one was not taken, one sentence without secrets. Absent: all were taken. */
  readonly problem?: string
  /** The receiver wants to be left alone for so long, in milliseconds. */
  readonly retryAfterMs?: number
  /** The receiver will never take the next one, however often it is sent: it is skipped, and written down. */
  readonly refused?: true
}

/** One receiver. */
export interface Channel {
  /** Sends notifications, 1 to 500 in order; a burst may be told as one message that has them all. Never rejects. */
  send(notifications: readonly Notification[], signal: AbortSignal): Promise<Sent>
  close(): Promise<void>
}
