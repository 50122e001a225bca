export type ServiceName =
  | 'redis'
  | 'sentinel'
  | 'cts-auth'
  | 'netqd'
  | 'netq-notifier'
  | 'netq-influxdb'
  | 'netq-stats-pushd'
  | 'netq-agent'

/** Starting and stopping the processes of one server or node. Only this knows how they are run. */
export interface Services {
  /** Starts it unless it runs. Rejects with a sentence if it cannot be started at all. */
  start(name: ServiceName): Promise<void>
  /** Ends it (SIGTERM, after `graceMs` SIGKILL) and waits until it is gone. Nothing to do if it does not run. */
  stop(name: ServiceName, graceMs?: number): Promise<void>
  restart(name: ServiceName): Promise<void>
  running(name: ServiceName): Promise<{ pid: number } | undefined>
  /** Ends it at once, as a crash would (SIGKILL). */
  kill(name: ServiceName): Promise<void>
}
