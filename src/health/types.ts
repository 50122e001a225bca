/**
 * What the health endpoints answer from, as plain data: the control loop's last look at its servers, handed over by
 * cts-auth. The cluster's own reports have these shapes and more.
 */

export interface RedisSeen {
  readonly role: 'master' | 'replica'
  /** The address that this replica follows; undefined for a master, and for a replica of nobody. */
  readonly follows?: string
  readonly linkUp: boolean
  readonly loading: boolean
  /** Whether the last write to its disk went well. */
  readonly diskOk: boolean
  /** Percent of the full synchronisation under way. */
  readonly syncing?: number
  readonly offset: number
  /** The replicas that are online here; their lag in seconds. */
  readonly replicas: readonly { readonly ip: string; readonly lag: number; readonly offset: number }[]
  readonly minReplicas: number
  readonly epoch: number
  /** When the master wrote the newest mark that is in this copy, by its clock, ms since the epoch; 0: no mark. */
  readonly markerTime: number
  readonly applied: number
}

interface SentinelSeen {
  readonly epoch: number
  readonly replicas: number
  readonly others: number
  readonly quorum: boolean
  readonly tilt: boolean
}

/** What a server's processes said. Absent: the process runs not, or answers not (`redisProblem` says which). */
export interface ServerSeen {
  readonly redis?: RedisSeen
  readonly redisProblem?: string
  readonly sentinel?: SentinelSeen
}

/** One server of the list as `netq config ts show server` shows it. */
interface ServerLine {
  readonly server: string
  readonly role: string
  readonly master: string
  readonly status: string
}

export interface Look {
  /** How long ago this was seen, in milliseconds. */
  readonly ageMs: number
  /** The address of this server. */
  readonly self: string
  readonly mine: ServerSeen
  readonly servers: readonly ServerLine[]
  /** The master that a majority of the Sentinels names. */
  readonly named: string | undefined
}

/** Everything that an answer is made from, but what is read of the store. */
export interface Situation {
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly rounds: number
  /** How long ago the last round of the control loop ended, in milliseconds. */
  readonly roundAgeMs: number
  /** Absent until the first look. */
  readonly look?: Look
  /** How long at most writes were interrupted at the last change of master, in milliseconds, if it was seen here. */
  readonly gapMs?: number
}

/** What is read of the local store, and only when somebody asks for it. */
export interface Figures {
  readonly memoryUsedBytes: number
  readonly memoryMaxBytes: number
  readonly logEntries: number
  readonly agents: Readonly<Record<'fresh' | 'waiting' | 'rotten', number>>
  /** Batches in the agents' spools, as they last said: of all together, and of the agent that has most. */
  readonly spooledSum: number
  readonly spooledMax: number
}
