import type { Redis } from 'ioredis'
import type { Secrets } from '../config/secrets.ts'
import { connect } from '../store/connection.ts'
import { ADMIN, REDIS_PORT, SENTINEL_PORT } from '../store/names.ts'

/** cts-auth's connections to the Redis and the Sentinel of its own server, as their administrator. */
export class LocalConnections {
  readonly address: string
  private readonly localAddress: string | undefined
  private secrets: Secrets
  private readonly open = new Map<number, Redis>()

  constructor(address: string | undefined, secrets: Secrets) {
    this.address = address ?? '127.0.0.1'
    this.localAddress = address
    this.secrets = secrets
  }

  redis(): Promise<Redis> {
    return this.to(REDIS_PORT)
  }

  sentinel(): Promise<Redis> {
    return this.to(SENTINEL_PORT)
  }

  /** From now on with these log-ins; connections with the old ones are closed. */
  use(secrets: Secrets): void {
    this.close()
    this.secrets = secrets
  }

  close(): void {
    for (const redis of this.open.values()) redis.disconnect()
    this.open.clear()
  }

  private async to(port: number): Promise<Redis> {
    const known = this.open.get(port)
    if (known?.status === 'ready') return known
    const redis = await connect({
      host: this.address,
      port,
      login: { username: ADMIN, password: this.secrets.admin },
      ...(this.localAddress === undefined ? {} : { localAddress: this.localAddress }),
      // Shorter than the others wait for this server's report: a frozen Sentinel is then seen as just that.
      connectMs: 300,
      commandMs: 500,
    })
    this.open.set(port, redis)
    return redis
  }
}
