import type { ClusterView } from '../api/types.ts'
import type { AgentRecord, StoreHealth } from '../store/types.ts'
import type { Observation } from './store.ts'

/** What to call an agent: see query/freshness.ts. */
export type StatusOf = (agent: AgentRecord, health: StoreHealth, now: number) => { readonly status: string }

/** What the master's notifier looks at. Times are milliseconds since the epoch. */
export interface Look {
  readonly agents: readonly AgentRecord[]
  readonly health: StoreHealth
  readonly view: ClusterView
  readonly now: number
}

/** Below this share of free room it is low; it is ok again only above the second, so that it does not come and go. */
const LOW = 0.1
const ENOUGH = 0.15
/** The host name under which what concerns the whole cluster is kept. */
export const CLUSTER = 'cluster'

/**
 * Compares what is with what was observed last, and gives the rows that differ. A server's status must be the same in
 * two looks in a row: servers that start or hand over pass through states that nobody needs to be told of.
 */
export class Observer {
  private readonly statusOf: StatusOf
  private lastLook = new Map<string, string>()

  constructor(statusOf: StatusOf) {
    this.statusOf = statusOf
  }

  /** @param observed "<table> <host> <key>" (tabs between) -> row, as the store has it */
  differing(look: Look, observed: Readonly<Record<string, string>>): Observation[] {
    const wanted = new Map<string, Observation>()
    const want = (table: string, host: string, key: string, row: object | undefined) =>
      wanted.set(`${table}\t${host}\t${key}`, { table, host, key, row })
    for (const agent of look.agents) {
      const { status } = this.statusOf(agent, look.health, look.now)
      want('agent', agent.hostname, agent.hostname, { status })
    }
    const known = (host: string, key: string) => rowIn(observed, `cluster\t${host}\t${key}`)
    for (const row of this.settledServers(look.view))
      want('cluster', row.server, `server ${row.server}`, row.row)
    for (const { server, room } of look.view.servers) {
      if (!room) continue
      const memory = 1 - room.memoryUsed / room.memoryMax
      const disk = room.diskFree / room.diskTotal
      want('cluster', server, `memory ${server}`, roomRow(memory, known(server, `memory ${server}`)))
      want('cluster', server, `disk ${server}`, roomRow(disk, known(server, `disk ${server}`)))
    }
    const { lastChange } = look.view
    // The gap of an old change is no longer exact once the log has forgotten it: a known change stays as it was told.
    if (lastChange && known(CLUSTER, 'master')?.at !== lastChange.time) {
      const { time, to, why, gap } = lastChange
      want('cluster', CLUSTER, 'master', { master: to, why, gapMs: gap ?? null, at: time })
    }
    return [...this.gone(look, observed), ...wanted.values()].filter(({ table, host, key, row }) => {
      return (observed[`${table}\t${host}\t${key}`] ?? '') !== (row ? JSON.stringify(row) : '')
    })
  }

  private settledServers({
    servers,
  }: ClusterView): { server: string; row: { status: string; role: string } }[] {
    const texts = new Map(
      servers.map(({ server, status, role }) => [server, JSON.stringify({ status, role })]),
    )
    const settled = servers.filter(({ server }) => this.lastLook.get(server) === texts.get(server))
    this.lastLook = texts
    return settled.map(({ server, status, role }) => ({ server, row: { status: plain(status), role } }))
  }

  /** Rows of agents that were removed and of servers that were replaced. */
  private gone({ agents, view }: Look, observed: Readonly<Record<string, string>>): Observation[] {
    const hosts = new Set(agents.map(({ hostname }) => hostname))
    const servers = new Set(view.servers.map(({ server }) => server))
    return Object.keys(observed).flatMap((field) => {
      const [table = '', host = '', key = ''] = field.split('\t')
      const there = table === 'agent' ? hosts.has(host) : host === CLUSTER || servers.has(host)
      return there ? [] : [{ table, host, key, row: undefined }]
    })
  }
}

/** Without what changes by itself: `unreachable: no answer within 1.2 s` is told as `unreachable`, `syncing 42%` as `syncing`. */
function plain(status: string): string {
  return status.replace(/^unreachable:.*/, 'unreachable').replace(/ \d+%$/, '')
}

function roomRow(free: number, known: Readonly<Record<string, unknown>> | undefined): object {
  const low = free < LOW || (known?.state === 'low' && free < ENOUGH)
  if ((known?.state === 'low') === low && known) return known
  return { state: low ? 'low' : 'ok', detail: `${Math.max(0, Math.round(free * 100))} % free` }
}

function rowIn(
  observed: Readonly<Record<string, string>>,
  field: string,
): Record<string, unknown> | undefined {
  const text = observed[field]
  return text === undefined ? undefined : (JSON.parse(text) as Record<string, unknown>)
}
