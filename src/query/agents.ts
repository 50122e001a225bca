import type { AgentRecord, StoreHealth } from '../store/types.ts'
import { ago } from '../text/duration.ts'
import { statusOf } from './freshness.ts'
import type { Listing } from './listing.ts'
import { corrected } from './times.ts'

const heads = [
  'Hostname',
  'Status',
  'NTP Sync',
  'Version',
  'Sys Uptime',
  'Agent Uptime',
  'Reinitialize Time',
  'Last Changed',
]

/**
 * `show agents`. It is no table that agents collect: it is what the store knows of the agents themselves.
 * `Last Changed` is when the agent was last heard. The uptimes of an agent that is not heard are those of when it last
 * was: nobody knows whether the node is still up. In JSON all of these are points in time, seconds since the epoch.
 */
export function agentsListing(agents: readonly AgentRecord[], health: StoreHealth, now: number): Listing {
  return {
    name: 'agents',
    count: agents.length,
    heads,
    cells: () => agents.map((agent) => cellsOf(agent, health, now)),
    records: () => agents.map((agent) => recordOf(agent, health, now)),
  }
}

function cellsOf(agent: AgentRecord, health: StoreHealth, now: number): string[] {
  const { status } = statusOf(agent, health, now)
  const heard = status === 'Fresh' ? now : agent.seen
  const age = (time: number, at: number) => (time > 0 ? ago(at - time) : '-')
  return [
    agent.hostname,
    status,
    ntpSync(agent),
    agent.info.version || '-',
    age(start(agent.info.systemStart, agent), heard),
    age(start(agent.info.agentStart, agent), heard),
    age(agent.initialized, heard),
    age(agent.seen, now),
  ]
}

function recordOf(agent: AgentRecord, health: StoreHealth, now: number): Record<string, unknown> {
  const { status, reason } = statusOf(agent, health, now)
  const seconds = (time: number) => (time > 0 ? time / 1000 : null)
  return {
    hostname: agent.hostname,
    status,
    reason,
    ntpSync: ntpSync(agent),
    version: agent.info.version,
    sysUptime: seconds(start(agent.info.systemStart, agent)),
    agentUptime: seconds(start(agent.info.agentStart, agent)),
    reinitializeTime: seconds(agent.initialized),
    skew: agent.skew / 1000,
    spooledBatches: agent.info.spooledBatches,
    spooledBytes: agent.info.spooledBytes,
    lastChanged: seconds(agent.seen),
  }
}

/** In the servers' time; 0, which says that the agent has not told yet, stays 0. */
function start(time: number, agent: AgentRecord): number {
  return time > 0 ? corrected(time, agent) : 0
}

function ntpSync({ info }: AgentRecord): string {
  if (info.ntpSync === undefined) return 'unknown'
  return info.ntpSync ? 'yes' : 'no'
}
