/**
 * What a server knows of itself and tells the others. Every cts-auth makes one of these of its own server, asks its
 * peers for theirs, and decides from the three together.
 */

/** What the operator configured with `add server`, and how far it got; kept on disk, fsynced. */
export interface Desired {
  /** The servers in the operator's order: the first is to be the master at formation. */
  readonly order: readonly string[]
  /** Made by the first server when all three were told the same list; empty until then. */
  readonly clusterId: string
  /** Whether this server has become a member of that cluster: its Redis follows the cluster's rules from then on. */
  readonly formed: boolean
}

export interface RedisReport {
  readonly role: 'master' | 'replica'
  /** The address that this replica follows; undefined for a master, and for a fenced replica (it follows nobody). */
  readonly follows?: string
  readonly linkUp: boolean
  /** Whether it has had a link to its master since it was started. A replica without is as old as its disk. */
  readonly everLinked: boolean
  readonly loading: boolean
  /** Percent of the full synchronisation under way. */
  readonly syncing?: number
  readonly offset: number
  /** Addresses of the replicas that are online here, with their lag in seconds. */
  readonly replicas: readonly { readonly ip: string; readonly lag: number; readonly offset: number }[]
  readonly minReplicas: number
  /** How new this copy is: compare epoch, then marker, then applied. */
  readonly epoch: number
  readonly marker: number
  readonly applied: number
  readonly markerTime: number
  /** The cluster that this copy says it belongs to ('' for none). */
  readonly clusterId: string
}

export interface SentinelReport {
  readonly master: string
  readonly epoch: number
  /** Usable replicas and other Sentinels that it knows. */
  readonly replicas: number
  readonly others: number
  readonly quorum: boolean
  readonly tilt: boolean
  readonly failover: boolean
  readonly masterDown: boolean
}

export interface ServerReport {
  readonly ip: string
  readonly version: string
  readonly fingerprint: string
  readonly desired?: Desired
  /** The highest epoch in which this server gave its vote. */
  readonly voted: number
  /** Absent: the process runs not, or answers not (`redisProblem` says which). */
  readonly redis?: RedisReport
  readonly redisProblem?: string
  readonly sentinel?: SentinelReport
  readonly sentinelProblem?: string
}

/** A server as another one sees it: its report, or why there is none. */
export type Seen = { readonly report: ServerReport } | { readonly unreachable: string }

/** Everything a decision is made from. Times in milliseconds. */
export interface View {
  readonly self: string
  readonly mine: ServerReport
  /** The other servers of the desired order. */
  readonly peers: ReadonlyMap<string, Seen>
  /** How long no reachable server has been a master. */
  readonly leaderlessMs: number
  /** How long it is since this server's Redis was seen running as the master (undefined: it was not, in this life of cts-auth). */
  readonly sinceOwnMasterDiedMs?: number
  /** How long this server's Redis has followed another than the master that the Sentinels name. */
  readonly strayMs: number
  /** Whether the running Redis has the library and the settings that its role calls for. */
  readonly settled: boolean
}

/** What the loop does next, and the sentence why. One action at a time; then it looks again. */
export type Action =
  | { readonly do: 'nothing' }
  | { readonly do: 'start-redis'; readonly as: 'master' | 'fenced' | { readonly replicaOf: string } }
  | { readonly do: 'follow'; readonly master: string }
  | { readonly do: 'form' }
  | { readonly do: 'join'; readonly member: string }
  | { readonly do: 'promote'; readonly epoch: number }
  | { readonly do: 'settle'; readonly minReplicas: 0 | 1 }
  | { readonly do: 'start-sentinel'; readonly master: string; readonly epoch: number }
  | { readonly do: 'stop-sentinel' }
  | { readonly do: 'ask-failover'; readonly of: string }
  | { readonly do: 'mark'; readonly roles: Readonly<Record<string, string>> }

export interface Decision {
  readonly action: Action
  readonly why: string
}
