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
  /** Counts the operators' changes of a formed cluster; the store has the newest. 0 until formed. */
  readonly generation: number
  /** Whether this server has become a member of that cluster: its Redis follows the cluster's rules from then on. */
  readonly formed: boolean
}

/** A change of a formed cluster that an operator asked for on one of its servers; the master carries it out. */
export interface Proposal {
  readonly id: string
  readonly order: readonly string[]
  /** The generation that the operator saw; if it has moved on, the change is refused. */
  readonly base: number
  /** When it was asked for, ms since the epoch. */
  readonly at: number
  /** It is a backup of this name that is to be restored; the list is the one there is, and the data are staged already. */
  readonly restore?: string | undefined
}

/** How a proposal ended without coming true. */
export interface Refusal {
  readonly id: string
  readonly sentence: string
}

/** A backup that was restored: in answer to which proposal, when (ms since the epoch), and its name. */
interface Restored {
  readonly id: string
  readonly time: number
  readonly name: string
}

/** What a server did about a restore: it puts what it holds aside before another copy takes its place. */
export interface Aside {
  readonly id: string
  readonly done: boolean
  readonly problem?: string
}

export interface RedisReport {
  readonly role: 'master' | 'replica'
  /** The address that this replica follows; undefined for a master, and for a fenced replica (it follows nobody). */
  readonly follows?: string
  readonly linkUp: boolean
  /** Whether it has had a link to its master since it was started. A replica without is as old as its disk. */
  readonly everLinked: boolean
  /** Seconds since its master was last heard, where the link is up; a master speaks once a second at least. */
  readonly silentSeconds?: number
  /** How its master was lost, where that is known: its Redis is not running, or nothing of its machine answers. */
  readonly lost?: 'refuses' | 'silent'
  readonly loading: boolean
  /** The network's user cannot come in yet: so Redis starts, until its data are loaded. */
  readonly closed?: boolean
  /** Percent of the full synchronisation under way. */
  readonly syncing?: number
  readonly offset: number
  /** What operators ask for and no decision depends on: bytes, and connections of every kind. */
  readonly load?: {
    readonly memoryUsed: number
    readonly memoryMax: number
    readonly aofBytes: number
    /** Of the file system that the data are on. */
    readonly diskFree: number
    readonly diskTotal: number
    readonly connections: number
  }
  /** Addresses of the replicas that are online here, with their lag in seconds. */
  readonly replicas: readonly { readonly ip: string; readonly lag: number; readonly offset: number }[]
  readonly minReplicas: number
  /** How new this copy is: compare epoch, then marker, then applied. */
  readonly epoch: number
  readonly marker: number
  readonly applied: number
  readonly markerTime: number
  /** The cluster that this copy says it belongs to ('' for none), and the servers that it names. */
  readonly clusterId: string
  readonly generation: number
  readonly servers: readonly string[]
  readonly priority: number
  /** The backup that is staged in this copy: whether all of it is, whether agents wait for it, and its last sign of life (ms). */
  readonly staged?: {
    readonly id: string
    readonly ready: boolean
    readonly fenced: boolean
    readonly at: number
  }
  /** The last backup that was restored into this copy. */
  readonly restored?: Restored
  /** Whether the last write to its disk went well; a master whose disk is full takes no writes. */
  readonly diskOk: boolean
}

export interface SentinelReport {
  readonly master: string
  readonly epoch: number
  /** Usable replicas, and other Sentinels that it knows. */
  readonly replicas: number
  readonly others: number
  /** The addresses of all replicas and Sentinels that it knows, dead ones too. */
  readonly knows: readonly string[]
  readonly quorum: boolean
  /** For how long it has had none, in milliseconds: for a moment a Sentinel that starts, or was held up, knows nobody. */
  readonly noQuorumMs: number
  /** The priority of this server's Redis as its Sentinel knows it. */
  readonly ownPriority?: number
  /** It reads roles and priorities as seldom as a Sentinel does by default: it was not started by cts-auth. */
  readonly slow?: boolean
  readonly tilt: boolean
  readonly failover: boolean
  readonly masterDown: boolean
}

export interface ServerReport {
  readonly ip: string
  readonly version: string
  readonly fingerprint: string
  readonly desired?: Desired
  /** What its control loop decided last and why, or what keeps it from doing so. */
  readonly doing: string
  readonly proposal?: Proposal
  readonly refusal?: Refusal
  readonly aside?: Aside
  /** It was asked to be the master no more (`to`: while it hands over to that server), and others are to become it rather, for a while. */
  readonly stepsDown?: { readonly to?: string }
  /** New servers that it sees and that were told of the change they belong to. A master that leaves cannot see them. */
  readonly greets: readonly string[]
  /** The cluster that ended on this server, by `del server`. */
  readonly left?: ClusterList
  /** The highest epoch in which this server gave its vote. */
  readonly voted: number
  /** Absent: the process runs not, or answers not (`redisProblem` says which). */
  readonly redis?: RedisReport
  readonly redisProblem?: string
  readonly sentinel?: SentinelReport
  readonly sentinelProblem?: string
  /** What runs with the settings of another version of this software: it is started anew once that costs nothing. */
  readonly outdated?: readonly ('redis' | 'sentinel')[]
}

/** The servers of a cluster as of a generation. One server alone: the cluster ended there, and it has the data. */
export interface ClusterList {
  readonly clusterId: string
  readonly generation: number
  readonly order: readonly string[]
}

/** A server as another one sees it: its report, or why there is none. */
export type Seen = ({ readonly report: ServerReport } | { readonly unreachable: string }) & {
  /** It told a list of the asking server's cluster that is newer than the asking server's own. */
  readonly newer?: ClusterList
}

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
  /** How long this server's Redis and another member's have both been masters. */
  readonly rivalMs: number
  /** How long ago the Sentinel here was stopped to be started anew. */
  readonly sinceSentinelRestartMs: number
  /** The strangers that it knew then. */
  readonly restartedFor: readonly string[]
  /** How long this server's Redis has followed another than the master that the Sentinels name. */
  readonly strayMs: number
  /** How long a backup has been staged here that nobody goes on with; undefined: there is none. */
  readonly stagedOrphanMs?: number
  /** Whether the running Redis has the library and the settings that its role calls for. */
  readonly settled: boolean
}

/** What the loop does next, and the sentence why. One action at a time; then it looks again. */
export type Action =
  | { readonly do: 'nothing' }
  | { readonly do: 'start-redis'; readonly as: 'fenced' | { readonly replicaOf: string } }
  | { readonly do: 'follow'; readonly master: string }
  | { readonly do: 'form' }
  | { readonly do: 'join'; readonly member: string }
  | { readonly do: 'open' }
  | { readonly do: 'promote'; readonly epoch: number }
  | { readonly do: 'promote-alone' }
  | { readonly do: 'settle'; readonly minReplicas: 0 | 1 }
  | { readonly do: 'start-sentinel'; readonly master: string; readonly epoch: number }
  /** `strangers`: servers that it knows and that are no members; what still runs of them is sent away. */
  | { readonly do: 'stop-sentinel'; readonly strangers?: readonly string[] }
  | { readonly do: 'stop-redis' }
  /** Has the Sentinel here read roles and priorities as often as a switchover needs it. */
  | { readonly do: 'hasten-sentinel' }
  | { readonly do: 'ask-failover'; readonly of: string }
  /** The Sentinel here replaces this master, which is lost. */
  | { readonly do: 'fail-over'; readonly from: string }
  | { readonly do: 'finish-switchover' }
  | { readonly do: 'prioritize'; readonly priority: 1 | 100 }
  /** `ended`: the cluster is no more; else it goes on without this server. */
  | { readonly do: 'retire'; readonly ended?: ClusterList }
  /** Goes on as a single server with the data: the cluster has ended in this generation. */
  | { readonly do: 'leave'; readonly generation: number }
  | { readonly do: 'adopt'; readonly order: readonly string[]; readonly generation: number }
  | { readonly do: 'switch-over'; readonly to: string }
  | { readonly do: 'commit'; readonly order: readonly string[]; readonly generation: number }
  | { readonly do: 'put-aside'; readonly id: string }
  | { readonly do: 'fence'; readonly id: string }
  | { readonly do: 'restore'; readonly id: string; readonly name: string }
  | { readonly do: 'drop-restore'; readonly id: string }
  | { readonly do: 'refuse'; readonly id: string; readonly sentence: string }
  | { readonly do: 'mark'; readonly roles: Readonly<Record<string, string>> }

export interface Decision {
  readonly action: Action
  readonly why: string
}
