import type { AgentInfo, AgentRecord, StoreHealth, StoreReader } from '../../src/store/types.ts'
import type { Row, StoredRow } from '../../src/tables/table.ts'

/** The instant at which these tests ask: 2026-11-23T15:00:00Z. */
export const NOW = Date.UTC(2026, 10, 23, 15)
export const SECOND = 1000
export const HOUR = 3_600_000

/** A healthy agent, heard 10 s ago. */
export function agent(
  hostname: string,
  changed: Partial<AgentRecord> = {},
  info: Partial<AgentInfo> = {},
): AgentRecord {
  return {
    hostname,
    mark: 7,
    seen: NOW - 10 * SECOND,
    skew: 40,
    initialized: NOW - 2 * HOUR,
    info: {
      version: '0.1.0',
      systemStart: NOW - 3 * HOUR,
      agentStart: NOW - 2 * HOUR,
      ntpSync: true,
      spooledBatches: 0,
      spooledBytes: 0,
      ...info,
    },
    ...changed,
  }
}

export const healthy: StoreHealth = { markerTime: NOW - 500, writableSince: NOW - 24 * HOUR }

export function stored(hostname: string, row: Row, agentTime = NOW - HOUR, serverTime = NOW): StoredRow {
  return { hostname, row, agentTime, serverTime }
}

/** The store as far as `show` sees it; remembers which hosts' rows were asked for. */
export class FakeReader implements StoreReader {
  readonly asked: string[] = []
  private readonly known: readonly AgentRecord[]
  private readonly held: Readonly<Record<string, readonly StoredRow[]>>
  private readonly now: StoreHealth

  constructor(
    known: readonly AgentRecord[],
    held: Readonly<Record<string, readonly StoredRow[]>> = {},
    now: StoreHealth = healthy,
  ) {
    this.known = known
    this.held = held
    this.now = now
  }

  async agents(fits: (hostname: string) => boolean = () => true) {
    return this.known.filter(({ hostname }) => fits(hostname))
  }

  async rows(table: string, hostnames: readonly string[]) {
    this.asked.push(...hostnames)
    const wanted = new Set(hostnames)
    return (this.held[table] ?? []).filter(({ hostname }) => wanted.has(hostname))
  }

  async health() {
    return this.now
  }

  async notifications() {
    return []
  }
}
