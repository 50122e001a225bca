import { setTimeout as delay } from 'node:timers/promises'
import type { AgentStatus } from '../api/types.ts'
import { type Log, sentenceOf } from '../platform/log.ts'
import { type Found, MasterFinder, NoMaster } from '../store/master-finder.ts'
import { BatchRefused, NameTaken, Restoring, Session, type Standing } from '../store/session.ts'
import type { AgentInfo } from '../store/types.ts'
import type { Spool } from './spool.ts'

/**
 * Batches and bytes sent in one write: enough to fill a round trip, and no more than a master that many agents flood at once
 * carries out within the time that its answer may take (with 1 MiB agents looked for another master, measured on two cores).
 */
const BATCHES_AT_ONCE = 64
const BYTES_AT_ONCE = 256 * 1024
/** Between two attempts to find the master, in milliseconds: soon at first, as a failover takes a second or two. */
const SEARCH_MS = 40
const SEARCH_AT_MOST_MS = 1000
/** How often the spool is relieved of what two replicas have, in milliseconds. */
const TRIM_EVERY_MS = 1000
/** What one replica has is kept this long even if the second never confirms it, in milliseconds. */
const KEEP_MS = 10 * 60 * 1000
/** How long to leave it when another agent has this host name, in milliseconds. */
const NAME_TAKEN_MS = 10_000

/** How old the status that was told may get while nothing changes, in milliseconds: the spool grows meanwhile. */
const TELL_AGAIN_MS = 2000

/** A time in milliseconds that goes on evenly: with the time of day, a clock set back by an hour was an hour without a heartbeat. */
const elapsed = () => performance.now()

/** What the pusher tells of itself whenever it changes; the agent adds the rest. */
export type PushStatus = Pick<AgentStatus, 'state' | 'master' | 'since' | 'sentence' | 'servers' | 'tried'>

export interface PusherParts {
  readonly host: string
  readonly id: string
  readonly port: number
  readonly heartbeatMs: number
  readonly spool: Spool
  readonly log: Log
  readonly localAddress?: string
  /** Where to look for the master now; asked before every search. */
  servers(): readonly string[]
  /** Whether the agent knows its cluster, and so refuses servers that are not of it. */
  inCluster(): boolean
  info(): AgentInfo
  /** What the store said of itself and its cluster; throws if it is not this agent's. Asked before anything is sent. */
  onStanding(standing: Standing): void
  onStatus(status: PushStatus): void
  /** The store's picture of this node cannot be believed any more: everything has to be read and sent anew. */
  onFullReadingDue(): void
  /** All that was spooled is with the store. */
  onCaughtUp(): void
  /** Everything up to this batch is acknowledged by this master: applied, and on a replica where there are any. */
  onAcknowledged?(seq: number, ip: string): void
}

/**
 * Carries the spool to the master. It lives through:
 *
 * searching -> (a master is found and takes the host name) -> connected -> (anything fails) -> searching ...
 *
 * and, while another agent has the host name, refused. On every connection the store's mark is what counts: the spool
 * is reconciled with it first, and everything above it is sent again. A batch is acknowledged when the store has
 * applied it and a replica confirms; it leaves the spool when both replicas have it, or after ten minutes.
 */
export class Pusher {
  private readonly parts: PusherParts
  private readonly stopping = new AbortController()
  private running: Promise<void> = Promise.resolve()
  private wake: () => void = () => {}
  private status: PushStatus | undefined
  private told = Number.NEGATIVE_INFINITY
  private acknowledged = 0
  private everSent = 0
  /** How many batches were sent a second time because an answer to the first was not seen. */
  replayed = 0
  private trimmed = 0
  /** What was acknowledged at some times of the last minutes, for what leaves the spool by age. */
  private readonly checkpoints: { time: number; mark: number }[] = []

  constructor(parts: PusherParts) {
    this.parts = parts
  }

  start(): void {
    this.running = this.run()
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    this.wake()
    await this.running
  }

  /** There is something new in the spool. */
  notify(): void {
    this.wake()
  }

  private get stopped(): boolean {
    return this.stopping.signal.aborted
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const found = await this.search()
      if (!found) return
      const session = new Session(found.ip, found.redis, this.parts.host, this.parts.id)
      try {
        await this.converse(session, found)
      } catch (error) {
        if (this.stopped) return
        if (error instanceof NameTaken) {
          this.say('refused', sentenceOf(error), { [found.ip]: sentenceOf(error) })
          await this.pause(NAME_TAKEN_MS)
        } else {
          this.say('searching', `lost the master ${found.ip}: ${sentenceOf(error)}`, {
            [found.ip]: sentenceOf(error),
          })
          await this.pause(error instanceof Restoring ? SEARCH_AT_MOST_MS : SEARCH_MS)
        }
      } finally {
        session.close()
      }
    }
  }

  /** Until a master is found; undefined only when stopped. */
  private async search(): Promise<Found | undefined> {
    let wait = SEARCH_MS
    let servers: readonly string[] = []
    let finder: MasterFinder | undefined
    try {
      while (!this.stopped) {
        if (servers.join() !== this.parts.servers().join()) {
          finder?.close()
          servers = this.parts.servers()
          const { port, localAddress, inCluster } = this.parts
          finder = new MasterFinder(servers, port, localAddress, inCluster)
        }
        try {
          return await finder!.find()
        } catch (error) {
          const tried = error instanceof NoMaster ? error.tried : {}
          this.say('searching', `no writable server: ${sentenceOf(error)}`, tried)
        }
        // Jitter, so that the agents of a fabric do not all ask in the same millisecond.
        await this.pause(wait * (0.5 + Math.random()))
        wait = Math.min(SEARCH_AT_MOST_MS, wait * 1.2)
      }
    } finally {
      finder?.close()
    }
    return undefined
  }

  private async converse(session: Session, found: Found): Promise<void> {
    const { spool, log } = this.parts
    this.begin(await session.hello(Date.now()), session, found)
    let nextBeat = 0
    let nextTrim = elapsed() + TRIM_EVERY_MS
    let sent = this.acknowledged
    let over = false
    void session.ended().then(() => {
      over = true
      this.wake()
    })
    while (!this.stopped) {
      if (over) throw new Error('the connection was closed')
      const now = elapsed()
      if (now >= nextBeat) {
        nextBeat = now + this.parts.heartbeatMs
        await session.beat(Date.now(), this.parts.info())
        this.say('connected', `connected to the master ${session.ip}`, found.tried, session.ip)
      }
      if (now >= nextTrim) {
        nextTrim = now + TRIM_EVERY_MS
        await this.trim(session)
      }
      const batches = spool.after(sent, BATCHES_AT_ONCE, BYTES_AT_ONCE)
      if (batches.length === 0) {
        this.parts.onCaughtUp()
        await this.sleepUntil(Math.min(nextBeat, nextTrim))
        continue
      }
      const last = batches.at(-1)!.seq
      const resentUpTo = this.everSent
      this.replayed += batches.filter((batch) => batch.seq <= resentUpTo).length
      this.everSent = Math.max(this.everSent, last)
      try {
        const standing = await session.push(batches, resentUpTo)
        sent = last
        this.acknowledge(standing.mark, session.ip)
        this.parts.onStanding(standing)
      } catch (error) {
        if (!(error instanceof BatchRefused)) throw error
        // It would be refused for ever, and hold up all behind it: its loss is written down, and the state read anew.
        log.error(`${sentenceOf(error)}; it is recorded as a gap and everything is sent anew`)
        spool.replaceWithGap(error.seq, `refused: ${error.reason}`)
        this.parts.onFullReadingDue()
        throw new Error('a batch was refused')
      }
    }
  }

  private begin(standing: Standing, session: Session, found: Found): void {
    const { spool } = this.parts
    this.parts.onStanding(standing)
    const { ready, fullReading, sentence } = spool.reconcile(standing.mark)
    if (!ready) throw new Error(sentence)
    // A store that forgot batches (a backup was restored) may be sent again what this agent had let go of by age.
    const known = this.checkpoints.filter(({ mark }) => mark <= standing.mark)
    this.checkpoints.splice(0, this.checkpoints.length, ...known)
    if (fullReading) this.parts.onFullReadingDue()
    this.say('connected', `connected to the master ${session.ip}`, found.tried, session.ip)
    this.acknowledge(standing.mark, session.ip)
  }

  private acknowledge(mark: number, ip: string): void {
    this.acknowledged = mark
    this.parts.onAcknowledged?.(mark, ip)
  }

  private async trim(session: Session): Promise<void> {
    const { spool } = this.parts
    const before = spool.count
    if (this.acknowledged > this.trimmed && (await session.onTwoReplicas(20))) {
      this.trimmed = this.acknowledged
      spool.trim(this.trimmed)
    }
    const now = elapsed()
    if (now - (this.checkpoints.at(-1)?.time ?? Number.NEGATIVE_INFINITY) > KEEP_MS / 10)
      this.checkpoints.push({ time: now, mark: this.acknowledged })
    while (now - (this.checkpoints[0]?.time ?? now) > KEEP_MS) spool.trim(this.checkpoints.shift()!.mark)
    if (spool.count !== before) this.parts.onStatus(this.status!)
  }

  private say(
    state: PushStatus['state'],
    sentence: string,
    tried: Readonly<Record<string, string>>,
    master?: string,
  ): void {
    const same = this.status?.state === state && this.status.master === master
    if (same && this.status!.sentence === sentence && elapsed() - this.told < TELL_AGAIN_MS) return
    this.told = elapsed()
    if (!same || state === 'refused') this.parts.log[state === 'connected' ? 'info' : 'warning'](sentence)
    this.status = {
      state,
      since: same ? this.status!.since : Date.now(),
      sentence,
      servers: this.parts.servers(),
      tried,
      ...(master === undefined ? {} : { master }),
    }
    this.parts.onStatus(this.status)
  }

  private sleepUntil(time: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, time - elapsed()))
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  private async pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.stopping.signal }).catch(() => {})
  }
}
