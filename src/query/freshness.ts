import type { AgentRecord, StoreHealth } from '../store/types.ts'
import { ago } from '../text/duration.ts'

/** Three heartbeats, one every 30 s. */
const ROTTEN_AFTER_MS = 90_000
/** The master signs every second; a copy without a sign for this long is behind, or the master is gone. */
export const STALE_AFTER_MS = 5_000

export type Status = 'Fresh' | 'Waiting' | 'Rotten'

export interface Freshness {
  readonly status: Status
  /** One sentence without a full stop. */
  readonly reason: string
}

/** Whether this server's copy is too old to be taken for the state of now. Times in milliseconds since the epoch. */
export function isStale(health: StoreHealth, now: number): boolean {
  return now - health.markerTime > STALE_AFTER_MS
}

/**
 * What to call an agent. `Rotten` accuses the agent: it was silent for 90 s in which the servers could have heard it.
 * `Waiting` accuses nobody: it has not been heard, but the servers could not hear it, or this server's copy is so old
 * that it cannot tell.
 *
 * A stale copy is judged as of its last sign of life from the master. Who was Fresh or Waiting then is Waiting now;
 * who was Rotten stays it.
 */
export function statusOf(agent: AgentRecord, health: StoreHealth, now: number): Freshness {
  if (!isStale(health, now)) return statusAt(agent, health, now)
  const then = statusAt(agent, health, health.markerTime)
  if (then.status === 'Rotten')
    return { status: 'Rotten', reason: `${then.reason}, as of this server's copy` }
  return {
    status: 'Waiting',
    reason:
      "this server's copy is behind or the servers cannot take data, so nothing is known of the agent since then",
  }
}

function statusAt({ seen }: AgentRecord, { writableSince }: StoreHealth, at: number): Freshness {
  if (at - seen < ROTTEN_AFTER_MS) return { status: 'Fresh', reason: `heard ${ago(at - seen)} ago` }
  const silent = seen > 0 ? `not heard for ${ago(at - seen)}` : 'never heard'
  const couldHear = at - Math.max(seen, writableSince)
  if (couldHear >= ROTTEN_AFTER_MS) return { status: 'Rotten', reason: silent }
  return {
    status: 'Waiting',
    reason: `${silent}, but the servers could take data only for ${ago(couldHear)}`,
  }
}
