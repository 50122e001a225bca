/** What the notifier keeps of its work in the store, and `netq show notifications` reads. */

export const SEVERITIES = ['INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const
export type Severity = (typeof SEVERITIES)[number]

/** One thing that happened, as an operator is told of it. */
export interface Event {
  /** Stable: the same event has the same id on every server and after every failover. */
  readonly id: string
  /** Milliseconds since the epoch, by the master's clock when it learned of it. */
  readonly time: number
  readonly hostname: string
  /** The filter key `type`, e.g. Link, BgpSession, Agent, Cluster. */
  readonly type: string
  readonly severity: Severity
  /** One line without the time, e.g. `BGP: leaf01 swp51: session state changed from established to failed`. */
  readonly message: string
  /** What it is about, the same for its beginning and its end, e.g. `Link leaf01 swp5`: incidents are kept by it. */
  readonly subject: string
  /** The end of a trouble: an incident of the same subject is over. */
  readonly recovers: boolean
}

/** What became of one event at one receiver. */
export interface SentRecord {
  /** When, ms since the epoch, by the clock of the server that sent it. */
  readonly time: number
  readonly integration: string
  /** The name of the filter that sent it there. */
  readonly filter: string
  /** `refused`: the receiver will never take it. `silenced`: a silence was in force. */
  readonly outcome: 'sent' | 'refused' | 'silenced'
  /** How many times it was given to the receiver until then. */
  readonly tries: number
  readonly problem?: string
  readonly event: Event
}
