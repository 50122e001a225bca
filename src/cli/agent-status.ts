import type { AgentStatus } from '../api/types.ts'
import { readIfThere } from '../platform/files.ts'
import type { Paths } from '../platform/paths.ts'
import { ago } from '../text/duration.ts'

/** How the agent of a node is, as far as can be known from outside. */
export interface AgentView {
  /** Undefined: it does not run. */
  readonly pid?: number
  /** What the running agent said of itself; undefined if it has said nothing yet. */
  readonly status?: AgentStatus
}

/** An agent says something at least with every heartbeat; three missed are too old to be believed. */
const believedMs = 90_000

/** @param pid of the running agent; what an earlier one left behind does not count */
export function readAgent(paths: Paths, pid: number | undefined): AgentView {
  if (pid === undefined) return {}
  const text = readIfThere(paths.agentStatus)
  let status: AgentStatus | undefined
  try {
    status = text === undefined ? undefined : (JSON.parse(text) as AgentStatus)
  } catch {
    // A damaged file says nothing; the agent writes it anew.
  }
  return status?.pid === pid ? { pid, status } : { pid }
}

/** The status of one server, as a cell of `netq config show server`. */
export function serverStatus({ pid, status }: AgentView, server: string): string {
  if (pid === undefined) return 'agent not running'
  if (!status) return 'not known: the agent has not said anything yet'
  if (!status.servers.includes(server)) return 'not used now'
  if (status.state === 'connected' && status.master === server) return 'connected (master)'
  if (status.state === 'refused' && status.master === server) return `refuses: ${status.sentence}`
  const why = status.tried[server]
  if (why) return why
  return status.state === 'connected' ? 'not the master' : 'not known: the agent is searching for the master'
}

/** What there is to say of the agent besides its servers; each without a line end. */
export function remarks({ status }: AgentView, servers: readonly string[], now: number): string[] {
  if (!status) return []
  const said: string[] = []
  // The agent does not say which of the two it is.
  if ([...status.servers].sort().join() !== [...servers].sort().join()) {
    said.push(
      `netq-agent now uses ${status.servers.join(', ')} (${status.sentence}): the cluster named them, ` +
        'or the configuration is newer than the agent: netq config restart agent',
    )
  }
  if (status.spooledBatches > 0) {
    const batches = status.spooledBatches === 1 ? 'batch' : 'batches'
    said.push(
      `In the spool, not yet on two servers: ${status.spooledBatches} ${batches}, ${status.spooledBytes} bytes`,
    )
  }
  if (status.spoolProblem !== undefined) said.push(`The spool is in trouble: ${status.spoolProblem}`)
  if (status.state === 'searching') {
    said.push(
      `No writable server since ${ago(now - status.since)}: what changes is kept in the spool and sent later`,
    )
  }
  if (now - status.updated > believedMs) {
    said.push(`netq-agent said this ${ago(now - status.updated)} ago, and nothing since: it may hang`)
  }
  return said
}
