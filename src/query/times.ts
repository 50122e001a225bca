import type { AgentRecord } from '../store/types.ts'
import type { StoredRow } from '../tables/table.ts'

/** A clock that differs by no more than this is taken to be right. */
const SKEW_LIMIT_MS = 5_000

export function isSkewed(agent: AgentRecord): boolean {
  return Math.abs(agent.skew) > SKEW_LIMIT_MS
}

/** A time by the agent's clock, in the servers' time where that clock is known to be wrong. Milliseconds. */
export function corrected(time: number, agent: AgentRecord): number {
  return isSkewed(agent) ? time + agent.skew : time
}

/**
 * The row with the time of its change that is to be believed, in `agentTime`.
 *
 * That is the agent's time, not the time of receipt: after an outage the agents deliver what they had spooled, and a
 * link that went down 40 minutes ago must not be shown as having changed just now. The agent's clock is corrected by
 * its skew, but only where that exceeds the limit: below it, the measured skew is mostly the network's delay, and a
 * time that shifts by milliseconds with each heartbeat would look like a change to a script. Nothing is taken to have
 * changed after the master was told of it.
 */
export function believed(stored: StoredRow, agent: AgentRecord): StoredRow {
  const agentTime = Math.min(corrected(stored.agentTime, agent), stored.serverTime)
  return agentTime === stored.agentTime ? stored : { ...stored, agentTime }
}
