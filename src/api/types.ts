/**
 * What the daemons and their clients say to each other: HTTP, on a unix socket below the server's root.
 * netqd answers `show` from the local Redis; cts-auth answers and changes the configuration of its server.
 *
 * Every answer is either `text/plain` (shown as it is) or `application/json`; a refusal is a status >= 400 whose body
 * is one clear sentence. Long operations stream their text, a line a step, and end with a line `\u0000exit N`
 * (never shown) that carries the exit status of the command.
 */

/** Where a telemetry server's netqd answers the nodes: HTTPS, the same questions as on its socket. */
export const SHOW_PORT = 9002

/** POST /v1/show on netqd: one `netq [<hostname>] show ...`. */
export interface ShowRequest {
  /** Name of the table, and which of its `shows` (index). */
  readonly table: string
  readonly show: number
  /** A host name or a glob over host names; absent: every host. */
  readonly hostname?: string
  readonly args: Readonly<Record<string, string | true>>
}

/** POST /v1/servers on cts-auth: `netq config ts add server`. Streams. */
export interface AddServersRequest {
  /** As typed; cts-auth validates. */
  readonly addresses: readonly string[]
  /** Only say what would be done. */
  readonly dryRun?: boolean
  /** Answer with one JSON object at the end: the sentences and the exit status. */
  readonly json?: boolean
}

/**
 * POST /v1/servers/delete (`netq config ts del server`) and /v1/reset (`netq config ts reset-cluster`) on cts-auth.
 * Without `yes` they only say what they would do. They stream.
 */
export interface ConfirmRequest {
  readonly yes?: boolean
}

/** POST /v1/history (`netq config ts show history`) and /v1/servers/config (`... show server config`) on cts-auth. */
export interface JsonRequest {
  readonly json?: boolean
}

/** POST /v1/restore on cts-auth: `netq config ts restore <file> [yes]`. Streams; without `yes` it only says what it would do. */
export interface RestoreRequest {
  /** A path, or the name of a backup that `show backups` lists. */
  readonly file: string
  readonly yes?: boolean
}

/** POST /v1/servers/show on cts-auth: `netq config ts show server [<ip>] [json]`. */
export interface ShowServersRequest {
  readonly address?: string
  readonly json?: boolean
}

/** What the running agent says of itself in `run/netq/netq-agent.json`. Times are milliseconds since the epoch. */
export interface AgentStatus {
  readonly pid: number
  readonly updated: number
  /** `refused`: the master answered, and did not take what it was sent. */
  readonly state: 'connected' | 'searching' | 'refused'
  readonly master?: string
  /** Since when it has been in this state. */
  readonly since: number
  /** What it is doing, and why, for an operator. */
  readonly sentence: string
  /** The servers that it uses: those that the cluster named, or else those that it was started with. */
  readonly servers: readonly string[]
  /** Why the last attempt failed, by the address of the server. */
  readonly tried: Readonly<Record<string, string>>
  readonly spooledBatches: number
  readonly spooledBytes: number
  /** Whether it samples the counters of the interfaces. */
  readonly stats?: boolean
  /** Why the spool does not keep them on its disk. */
  readonly spoolProblem?: string
}

/** The status of a plan that an operator has to confirm with `yes`. */
export const NEEDS_YES = 3

/** The HTTP status of an answer that has to be asked for once more: cts-auth starts anew with what it was told. */
export const ASK_AGAIN = 425

/** The line that ends a streamed answer; the CLI takes its exit status from it and does not show it. */
export const EXIT_MARK = '\u0000exit '

/** What cts-auth knows of the cluster, for the other daemons of its server. */
export interface ClusterView {
  /** This server's address. */
  readonly self: string
  /** Whether this server belongs to a cluster of several. */
  readonly formed: boolean
  readonly servers: readonly {
    readonly server: string
    readonly role: string
    readonly status: string
    /** Bytes; absent while the server does not answer. */
    readonly room?: {
      readonly memoryUsed: number
      readonly memoryMax: number
      readonly diskFree: number
      readonly diskTotal: number
    }
  }[]
  /** The newest change of master. Times in milliseconds since the epoch. */
  readonly lastChange?: {
    readonly time: number
    readonly to: string
    readonly why: string
    readonly gap?: number
  }
}

/** POST /v1/notifier/edit on cts-auth: `netq config ts add|del notifier ...`. */
export type NotifierEdit =
  | {
      readonly do: 'add-integration'
      readonly type: string
      readonly name: string
      readonly keys: Readonly<Record<string, string | readonly string[]>>
    }
  | {
      readonly do: 'add-filter'
      readonly name: string
      readonly before?: string
      readonly after?: string
      readonly rule?: readonly [key: string, value: string]
      readonly output?: string
    }
  | {
      readonly do: 'add-silence'
      readonly rule: readonly [key: string, value: string]
      readonly forMs: number
    }
  | { readonly do: 'set-loglevel'; readonly level: string }
  | { readonly do: 'del-loglevel' }
  | { readonly do: 'del'; readonly what: string; readonly name: string }

/** POST /v1/notifier/test on cts-auth: one notification to this integration. */
export interface NotifierTest {
  readonly integration: string
}

/** POST /v1/notifier/explain on cts-auth: what would become of such an event. */
export interface NotifierExplain {
  readonly event: Readonly<Partial<Record<'hostname' | 'type' | 'severity' | 'message', string>>>
}

/** POST /v1/notifier/service on cts-auth: `netq config ts (start|stop|status|restart) notifier`. */
export interface NotifierService {
  readonly do: 'start' | 'stop' | 'status' | 'restart'
}

/** POST /v1/log-in on cts-auth: a log-in to the console with an account of this server. For administrators only. */
export interface LogInRequest {
  readonly user: string
  readonly password: string
}

export type LogInAnswer =
  | {
      readonly ok: true
      readonly user: string
      /** Whether the user may change anything, as root and the group `netq` may. */
      readonly administers: boolean
    }
  | { readonly ok: false; readonly why: string }
