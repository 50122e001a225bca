import type { SentRecord } from '../api/notifications.ts'
import type { Log } from '../platform/log.ts'
import { beyond, type Cursor, isWhole, parseCursor, textOf, timeOf, whole } from './cursor.ts'
import { eventsOf, type Placed } from './events.ts'
import type { Flaps } from './flaps.ts'
import type { NotifierStore } from './store.ts'
import type { Channel, Event, Notification, Sent } from './types.ts'

/** Entries read at once, and notifications sent at once. */
const ENTRIES = 500
const BATCH = 500
/** How long the lane gathers before it sends, in milliseconds: what one fault causes on many hosts is told at once. */
const GATHER_MS = 300
/** The log is kept for longer than this, in milliseconds. */
const RECENT_MS = 60_000
/** First and longest wait before a receiver that failed is tried again, in milliseconds. */
const RETRY_MS = 1000
const RETRY_MAX_MS = 60_000

/** How a lane is doing. Times are milliseconds since the epoch. */
export interface LaneStatus {
  readonly lastSent?: number
  /** What keeps it from sending, in a sentence, and since when. */
  readonly trouble?: { readonly problem: string; readonly since: number }
  /** When the receiver last refused one for good, and why. */
  readonly refused?: { readonly problem: string; readonly time: number }
}

/** Where an event goes as far as this lane is concerned; `silenced` is written down and not sent. */
export type Route = (event: Event) => { readonly filter: string; readonly silenced?: true } | undefined

export interface LaneParts {
  readonly integration: string
  readonly channel: Channel
  /** Asked anew for every event: the settings may change. */
  readonly route: Route
  readonly flaps: Flaps
  readonly log: Log
}

/**
 * The way from the log to one receiver. Each integration has its own, with its own cursor, so that a receiver that is
 * gone holds up no other.
 *
 * Nothing is sent before a replica has confirmed a write made after it was read: a master that is cut off thus sends
 * nothing, and what is sent stays in the log whoever is master next. After the receiver took it the cursor is moved;
 * a crash in between sends the same batch again, with the same event ids.
 */
export class Lane {
  readonly integration: string
  private readonly parts: LaneParts
  private readonly urgent: Notification[] = []
  /** Everything up to here was looked at; the store has it up to `saved`. */
  private cursor: Cursor | undefined
  private saved: Cursor | undefined
  private failures = 0
  private gapTold: string | undefined
  private notBefore = 0
  private gatheringSince: number | undefined
  private lastSent: number | undefined
  private trouble: LaneStatus['trouble']
  private refused: LaneStatus['refused']

  constructor(parts: LaneParts) {
    this.parts = parts
    this.integration = parts.integration
  }

  /** Something that cannot be in the log, because nothing can be written now. It is sent first, and once. */
  tell(event: Event): void {
    const route = this.parts.route(event)
    if (route && !route.silenced) this.urgent.push({ event, filter: route.filter })
  }

  get status(): LaneStatus {
    return {
      ...(this.lastSent === undefined ? {} : { lastSent: this.lastSent }),
      ...(this.trouble ? { trouble: this.trouble } : {}),
      ...(this.refused ? { refused: this.refused } : {}),
    }
  }

  /** This server is not the master (any more): where the lane was is read again when it is. */
  forget(): void {
    this.cursor = undefined
    this.gatheringSince = undefined
  }

  /** Sends what is urgent; needs no store. */
  async sendUrgent(signal: AbortSignal): Promise<void> {
    if (this.urgent.length === 0 || performance.now() < this.notBefore) return
    const sent = await this.parts.channel.send(this.urgent.slice(0, BATCH), signal)
    this.urgent.splice(0, sent.taken + (sent.refused ? 1 : 0))
    this.note(sent)
  }

  /**
   * One step: reads on from the cursor, sends, moves the cursor.
   * @returns whether there may be more to do at once
   */
  async step(store: NotifierStore, signal: AbortSignal): Promise<boolean> {
    if (performance.now() < this.notBefore) return false
    this.cursor ??= this.saved =
      parseCursor(await store.cursor(this.integration)) ?? (await this.begin(store))
    await this.tellGap(store, this.cursor)
    const { wanted, end, more } = await this.read(store, this.cursor)
    if (wanted.length === 0) {
      // Only every so often: the cursor of a quiet lane need not follow every entry of the log.
      if (beyond(end, this.saved ?? this.cursor)) await this.move(store, end, [])
      this.cursor = end
      return more
    }
    this.gatheringSince ??= performance.now()
    if (!more && wanted.length < BATCH && performance.now() - this.gatheringSince < GATHER_MS) return false
    this.gatheringSince = undefined
    return (await this.send(store, wanted, more ? undefined : end, signal)) || more
  }

  /** A new integration is told of what happens from now on. */
  private async begin(store: NotifierStore): Promise<Cursor> {
    const start = whole(await store.lastEntry())
    await store.notified(this.integration, textOf(start), [])
    return start
  }

  /** A receiver that was gone for longer than the log is kept is told that it was not told of everything. */
  private async tellGap(store: NotifierStore, cursor: Cursor): Promise<void> {
    const from = timeOf(cursor)
    if (Date.now() - from < RECENT_MS || this.gapTold === cursor.entry) return
    if (!(await store.forgotAfter(cursor.entry))) return
    this.gapTold = cursor.entry
    this.tell({
      id: `gap-${this.integration}-${cursor.entry}`,
      time: Date.now(),
      hostname: 'cluster',
      type: 'Cluster',
      severity: 'WARNING',
      message: `CLUSTER: ${this.integration} could not be told of everything since ${new Date(from).toISOString()}: the log is not kept for so long`,
      subject: `Cluster cluster gap ${this.integration}`,
      recovers: false,
    })
  }

  /** What follows the cursor and is for this receiver, up to `end`: of entries that are read whole a batch or a little more. */
  private async read(
    store: NotifierStore,
    cursor: Cursor,
  ): Promise<{ wanted: Placed[]; end: Cursor; more: boolean }> {
    const begun = isWhole(cursor) ? undefined : await store.entry(cursor.entry)
    const rest = await store.entriesAfter(cursor.entry, ENTRIES)
    const wanted = begun ? this.wantedOf(eventsOf(begun).filter(({ line }) => line > cursor.line)) : []
    let looked = 0
    // What is not sent now is looked at again, and an entry may have a thousand events.
    for (; looked < rest.length && wanted.length < BATCH; looked++)
      wanted.push(...this.wantedOf(eventsOf(rest[looked]!)))
    return {
      wanted,
      end: whole(rest[looked - 1]?.id ?? cursor.entry),
      more: looked < rest.length || rest.length === ENTRIES,
    }
  }

  private wantedOf(placed: readonly Placed[]): Placed[] {
    return this.parts.flaps.marked(placed).filter(({ event }) => this.parts.route(event))
  }

  private async send(
    store: NotifierStore,
    wanted: readonly Placed[],
    end: Cursor | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const batch = wanted.slice(0, BATCH)
    await store.notified(this.integration, textOf(this.cursor!), [])
    const routed = batch.map(({ event }) => ({ event, ...this.parts.route(event)! }))
    const outgoing = routed.filter(({ silenced }) => !silenced)
    const sent: Sent = outgoing.length === 0 ? { taken: 0 } : await this.parts.channel.send(outgoing, signal)
    const tries = this.failures + 1
    this.parts.log.debug(`${this.integration}: ${sent.taken} of ${outgoing.length} notifications are taken`)
    this.note(sent)
    // Everything up to the first that was neither taken, nor refused for good, nor silenced is done.
    const undone = outgoing[sent.taken + (sent.refused ? 1 : 0)]
    const done = undone ? routed.findIndex(({ event }) => event === undone.event) : routed.length
    if (done === 0) return false
    const refused = sent.refused ? outgoing[sent.taken] : undefined
    const records = routed.slice(0, done).map(
      ({ event, filter, silenced }): SentRecord => ({
        time: Date.now(),
        integration: this.integration,
        filter,
        outcome: silenced ? 'silenced' : event === refused?.event ? 'refused' : 'sent',
        tries,
        ...(event === refused?.event && sent.problem ? { problem: sent.problem } : {}),
        event,
      }),
    )
    const last = batch[done - 1]!
    const all = end && done === wanted.length
    await this.move(
      store,
      all ? end : { entry: last.event.id.slice(0, last.event.id.lastIndexOf('.')), line: last.line },
      records,
    )
    return done < wanted.length && sent.problem === undefined
  }

  private async move(store: NotifierStore, cursor: Cursor, records: readonly SentRecord[]): Promise<void> {
    await store.notified(this.integration, textOf(cursor), records)
    this.cursor = this.saved = cursor
  }

  /** Remembers how it went, and when the receiver may be tried again. */
  private note({ problem, retryAfterMs, refused, taken }: Sent): void {
    const { integration, log } = this.parts
    if (taken > 0) this.lastSent = Date.now()
    if (problem === undefined || refused) {
      if (this.trouble) log.info(`${integration}: takes notifications again`)
      if (refused && problem !== undefined) {
        log.warning(`${integration}: ${problem}; this notification is not sent`)
        this.refused = { problem, time: Date.now() }
      }
      this.failures = 0
      this.trouble = undefined
      return
    }
    this.failures = taken > 0 ? 1 : this.failures + 1
    const wait = Math.min(RETRY_MS * 2 ** (this.failures - 1), RETRY_MAX_MS)
    this.notBefore = performance.now() + Math.max(wait, retryAfterMs ?? 0)
    if (problem !== this.trouble?.problem) log.warning(`${integration}: ${problem}`)
    this.trouble = { problem, since: this.trouble?.since ?? Date.now() }
  }
}
