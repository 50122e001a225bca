import type { SentRecord } from '../api/notifications.ts'
import type { StoredRow } from '../tables/table.ts'

/** What the store knows of one agent. Times are milliseconds since the epoch. */
export interface AgentRecord {
  readonly hostname: string
  /** The mark: number of the last batch applied. */
  readonly mark: number
  /** When the master last heard of this agent, by the master's clock. */
  readonly seen: number
  /** The master's clock less the agent's, at the last heartbeat, in milliseconds. */
  readonly skew: number
  /** When this agent's last full reading began, by the master's clock ("Reinitialize Time"). */
  readonly initialized: number
  /** What the agent said of itself with its last heartbeat. */
  readonly info: AgentInfo
}

export interface AgentInfo {
  readonly version: string
  /** When the node was booted and when the agent was started, by the agent's clock, ms since the epoch. */
  readonly systemStart: number
  readonly agentStart: number
  /** Whether the kernel says that the node's clock is synchronised; undefined if it cannot tell. */
  readonly ntpSync?: boolean
  /** Batches and bytes in the spool that no two servers have yet. */
  readonly spooledBatches: number
  readonly spooledBytes: number
  /** Whether it samples the counters of its interfaces; undefined if it is of a version that does not say. */
  readonly stats?: boolean
}

/** How much the local store is to be believed, as of now. */
export interface StoreHealth {
  /** The master's last sign of life that reached this server: it wrote this at `markerTime` (its clock, ms). */
  readonly markerTime: number
  /** Since when, without interruption, the cluster has been able to take writes (ms); rotten is judged from here. */
  readonly writableSince: number
}

/** Reading from the local Redis, as netqd does it. Rejects with one clear sentence if it does not answer. */
export interface StoreReader {
  /** Those whose names fit; all without `fits`. */
  agents(fits?: (hostname: string) => boolean): Promise<AgentRecord[]>
  rows(table: string, hostnames: readonly string[]): Promise<StoredRow[]>
  health(): Promise<StoreHealth>
  /** What the notifier sent, the newest first; 1000 records at most. */
  notifications(): Promise<SentRecord[]>
}
