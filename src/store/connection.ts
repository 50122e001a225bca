import { Redis } from 'ioredis'

interface Login {
  readonly username: string
  readonly password: string
}

export interface Target {
  readonly host: string
  readonly port: number
  /** The unix socket of a Redis that has no port, in place of the two above. */
  readonly path?: string
  /** Without it the connection is the network's unauthenticated user. */
  readonly login?: Login
  /** Source address of the connection; on a machine with several servers it says which one is speaking. */
  readonly localAddress?: string
  /** Milliseconds until connecting is given up. */
  readonly connectMs?: number
  /** Milliseconds until the answer to a command is given up, and with it the connection. */
  readonly commandMs?: number
}

/**
 * One connection that never heals itself: ioredis carries the protocol only. Its own reconnecting and resending is
 * off because both break promises: a WAIT that is sent again after a reconnect speaks of another master, and its
 * Sentinel mode left clients dead in 5-6 of 20 kills (measured). Resolves once connected and logged in; rejects with
 * one sentence. Any error later ends the connection, and every command on it rejects.
 */
export async function connect(target: Target): Promise<Redis> {
  const redis = new Redis({
    host: target.host,
    port: target.port,
    ...(target.path === undefined ? {} : { path: target.path }),
    ...(target.login ?? {}),
    ...(target.localAddress === undefined ? {} : { localAddress: target.localAddress }),
    lazyConnect: true,
    connectTimeout: target.connectMs ?? 500,
    commandTimeout: target.commandMs ?? 800,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    // Redis 7.0 has no CLIENT SETINFO, and the network's user may not call it anyway.
    disableClientInfo: true,
    keepAlive: 10_000,
    noDelay: true,
  })
  let reason: Error | undefined
  redis.on('error', (error: Error) => {
    reason = error
  })
  try {
    await redis.connect()
    return redis
  } catch (error) {
    redis.disconnect()
    throw new Error(`${target.path ?? `${target.host}:${target.port}`} ${plain(reason ?? (error as Error))}`)
  }
}

/** What went wrong with a connection, in an operator's words. */
function plain(error: Error & { code?: string }): string {
  if (error.code === 'ECONNREFUSED') return 'refused the connection (not running)'
  if (error.code === 'EHOSTUNREACH' || error.code === 'ENETUNREACH') return 'cannot be reached (no route)'
  if (error.code === 'ETIMEDOUT' || /timeout|timed out/i.test(error.message)) return 'did not answer in time'
  if (/WRONGPASS|NOAUTH/.test(error.message))
    return 'refused the log-in (another cluster, or changed secrets)'
  return error.message
}
