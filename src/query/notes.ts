import type { AgentRecord, StoreHealth } from '../store/types.ts'
import { ago } from '../text/duration.ts'
import { printable } from '../text/table.ts'
import { isStale, STALE_AFTER_MS, type Status, statusOf } from './freshness.ts'
import { isSkewed } from './times.ts'

/** Names in a sentence before the rest is only counted: a note must not push the table off the screen. */
const NAMED = 5

/** What an operator has to know before believing the answer: sentences about this server's copy and its clock. */
export function copyNotes(health: StoreHealth, now: number): string[] {
  if (health.markerTime <= 0)
    return [
      "STALE: this server has never had the master's data; an empty answer does not mean that there is nothing.",
    ]
  if (isStale(health, now)) {
    const age = ago(now - health.markerTime)
    return [
      `STALE: this is as of ${age} ago: nothing has reached this server from the master since (or this server's ` +
        'clock is ahead).',
    ]
  }
  if (health.markerTime - now > STALE_AFTER_MS)
    return [
      `CLOCK: this server's clock is ${ago(health.markerTime - now)} behind the master's: ages are too small by that.`,
    ]
  return []
}

/**
 * The same of the agents whose rows the answer is made of.
 * @param silent which of the statuses to speak of; `show agents` has a column for them
 */
export function agentNotes(
  agents: readonly AgentRecord[],
  health: StoreHealth,
  now: number,
  silent: readonly Status[],
): string[] {
  const age = (agent: AgentRecord) => (agent.seen > 0 ? ago(now - agent.seen) : 'never heard')
  const notes: string[] = []
  const of = (status: Status) =>
    silent.includes(status) ? agents.filter((agent) => statusOf(agent, health, now).status === status) : []
  const rotten = of('Rotten')
  if (rotten.length > 0)
    notes.push(`ROTTEN: not heard from ${named(rotten, age)}; what is shown of them is from before.`)
  // Of a stale copy the first note has said it, of every agent at once.
  const waiting = isStale(health, now) ? [] : of('Waiting')
  if (waiting.length > 0)
    notes.push(
      `WAITING: not heard from ${named(waiting, age)}, but the servers can take data again only for ` +
        `${ago(now - health.writableSince)}; what is shown of them is from before.`,
    )
  const skewed = agents.filter(isSkewed)
  if (skewed.length > 0)
    notes.push(
      `CLOCK: wrong on ${named(skewed, skew)}; the times shown are corrected by that: check NTP there.`,
    )
  return notes
}

function skew(agent: AgentRecord): string {
  return `${ago(Math.abs(agent.skew))} ${agent.skew > 0 ? 'behind' : 'ahead'}`
}

function named(agents: readonly AgentRecord[], what: (agent: AgentRecord) => string): string {
  const some = agents.slice(0, NAMED).map((agent) => `${printable(agent.hostname)} (${what(agent)})`)
  return [...some, ...(agents.length > NAMED ? [`and ${agents.length - NAMED} more`] : [])].join(', ')
}
