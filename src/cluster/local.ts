import type { Redis } from 'ioredis'
import type { Secrets } from '../config/secrets.ts'
import { connect } from '../store/connection.ts'
import { ADMIN, REDIS_PORT, SENTINEL_PORT } from '../store/names.ts'
import { SharedConnection } from '../store/shared-connection.ts'

/** cts-auth's connections to the Redis and the Sentinel of its own server, as their administrator. */
export class LocalConnections {
  readonly address: string
  private readonly localAddress: string | undefined
  private toRedis: SharedConnection
  private toSentinel: SharedConnection
  private readonly onRedisLost: () => void

  /** @param onRedisLost told when the connection to Redis ends: it may have died */
  constructor(address: string | undefined, secrets: Secrets, onRedisLost: () => void = () => {}) {
    this.onRedisLost = onRedisLost
    this.address = address ?? '127.0.0.1'
    this.localAddress = address
    this.toRedis = this.to(REDIS_PORT, secrets)
    this.toSentinel = this.to(SENTINEL_PORT, secrets)
  }

  redis(): Promise<Redis> {
    return this.toRedis.get()
  }

  sentinel(): Promise<Redis> {
    return this.toSentinel.get()
  }

  /** From now on with these log-ins; connections with the old ones are closed. */
  use(secrets: Secrets): void {
    this.close()
    this.toRedis = this.to(REDIS_PORT, secrets)
    this.toSentinel = this.to(SENTINEL_PORT, secrets)
  }

  close(): void {
    this.toRedis.close()
    this.toSentinel.close()
  }

  private to(port: number, { admin: password }: Secrets): SharedConnection {
    return new SharedConnection(async () => {
      const redis = await connect({
        host: this.address,
        port,
        login: { username: ADMIN, password },
        ...(this.localAddress === undefined ? {} : { localAddress: this.localAddress }),
        // Shorter than the others wait for this server's report: a frozen Sentinel is then seen as just that.
        connectMs: 300,
        commandMs: 500,
      })
      if (port === REDIS_PORT) redis.once('end', this.onRedisLost)
      return redis
    })
  }
}
