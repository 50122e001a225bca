import { namedBySentinels, reportsOf } from './picture.ts'
import type { Action, Seen, ServerReport, View } from './types.ts'

/** For how long whoever stages a backup may be silent between two parts of it, in milliseconds. */
const STAGING_MS = 5000
/** For how long the loop may be in a hurry; a cluster that nobody can help does not keep its servers busy. Milliseconds. */
const URGENT_MS = 30_000

/**
 * What the loop keeps between two rounds: since when something has been so. A restart loses none of it for good: it is
 * only later that something has been so for long enough.
 */
export class Durations {
  private readonly now: () => number
  private leaderSeen: number
  private leaderless = false
  private urgentSince: number | undefined
  private ownMasterSeen: number | undefined
  private straySince: number | undefined
  private rivalSince: number | undefined
  private stagedOrphanSince: number | undefined
  private noQuorumSince: number | undefined
  private settledAs = ''
  private sentinelRestarted = Number.NEGATIVE_INFINITY
  private restartedFor: readonly string[] = []

  /** @param now a time in milliseconds that goes on evenly, whatever is done to the clock */
  constructor(now: () => number) {
    this.now = now
    this.leaderSeen = now()
  }

  /** What was just seen, with how long it has been so. */
  view(self: string, mine: ServerReport, peers: ReadonlyMap<string, Seen>): View {
    const now = this.now()
    const reports = reportsOf({ mine, peers })
    const masters = [...reports.values()].filter((r) => r.redis?.role === 'master' && r.desired?.formed)
    this.leaderless = masters.length === 0
    if (!this.leaderless) this.leaderSeen = now
    this.rivalSince =
      masters.length > 1 && mine.redis?.role === 'master' ? (this.rivalSince ?? now) : undefined
    if (mine.redis?.role !== 'master') this.settledAs = ''
    if (mine.redis) this.ownMasterSeen = mine.redis.role === 'master' ? now : undefined
    this.stagedOrphanSince = isOrphan(mine, reports) ? (this.stagedOrphanSince ?? now) : undefined
    const named = namedBySentinels(reports)?.ip
    const stray = named !== undefined && mine.redis?.follows !== undefined && mine.redis.follows !== named
    this.straySince = stray ? (this.straySince ?? now) : undefined
    return {
      self,
      mine,
      peers,
      leaderlessMs: now - this.leaderSeen,
      ...(this.ownMasterSeen === undefined ? {} : { sinceOwnMasterDiedMs: now - this.ownMasterSeen }),
      sinceSentinelRestartMs: now - this.sentinelRestarted,
      restartedFor: this.restartedFor,
      rivalMs: now - (this.rivalSince ?? now),
      ...(this.stagedOrphanSince === undefined ? {} : { stagedOrphanMs: now - this.stagedOrphanSince }),
      strayMs: now - (this.straySince ?? now),
      settled: this.settledAs === settlement(mine),
    }
  }

  /** An action on what `mine` said was done. */
  done(action: Action, mine: ServerReport): void {
    if (action.do === 'settle') this.settledAs = settlement(mine)
    if (action.do === 'stop-sentinel') {
      this.sentinelRestarted = this.now()
      this.restartedFor = action.strangers ?? []
    }
  }

  /** For how long the Sentinel here has had no majority, in milliseconds. */
  withoutQuorum(sentinel: { readonly quorum: boolean } | undefined): number {
    const now = this.now()
    this.noQuorumSince = sentinel && !sentinel.quorum ? (this.noQuorumSince ?? now) : undefined
    return now - (this.noQuorumSince ?? now)
  }

  /** Whether every look counts: a cluster has no master, or `alarmed` says that it may have lost it. */
  urgent(formed: boolean, alarmed: boolean): boolean {
    const now = this.now()
    this.urgentSince = formed && (this.leaderless || alarmed) ? (this.urgentSince ?? now) : undefined
    return this.urgentSince !== undefined && now - this.urgentSince < URGENT_MS
  }
}

/** Whether a backup is staged that no server has asked for: it is still being read, or who read it is gone. */
function isOrphan({ redis }: ServerReport, reports: ReadonlyMap<string, ServerReport>): boolean {
  if (!redis?.staged) return false
  const { id, at } = redis.staged
  const asked = [...reports.values()].some(({ proposal }) => proposal?.id === id)
  return !asked && Date.now() - at > STAGING_MS
}

/** What settings depend on: when any of it changes they are applied again. */
function settlement({ redis, desired }: ServerReport): string {
  return `${redis?.role} ${redis?.clusterId} ${desired?.formed} ${desired?.generation} ${redis?.minReplicas}`
}
