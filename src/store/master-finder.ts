import type { Redis } from 'ioredis'
import { sentenceOf } from '../platform/log.ts'
import { connect } from './connection.ts'
import { MASTER_NAME, SENTINEL_PORT } from './names.ts'

/** No master was found; `tried` says of each server why, in one sentence. */
export class NoMaster extends Error {
  readonly tried: Readonly<Record<string, string>>
  constructor(tried: Record<string, string>) {
    super(
      Object.entries(tried)
        .map(([ip, why]) => `${ip}: ${why}`)
        .join('; '),
    )
    this.tried = tried
  }
}

export interface Found {
  readonly ip: string
  readonly redis: Redis
  /** What was learned of the other servers on the way, e.g. that they do not answer. */
  readonly tried: Readonly<Record<string, string>>
}

/**
 * Finds the master as the network's user does: asks all Sentinels side by side, believes what a majority of them says,
 * connects there and checks that it says so itself (ROLE). With one server and no Sentinel on it (HA off), that server
 * is the master. Connections are kept while the search goes on and closed when it ends: thousands of agents search at
 * the same time in a failover, and hold nothing at rest.
 */
export class MasterFinder {
  private readonly servers: readonly string[]
  private readonly port: number
  private readonly localAddress: string | undefined
  private readonly mayBeAlone: () => boolean
  private readonly connections = new Map<string, Promise<Redis>>()
  private successor: string | undefined

  /**
   * @param mayBeAlone whether, while no Sentinel watches anything, any of the servers is taken that says it is the
   * master: HA was turned off, and it goes on alone. The other servers say the same of themselves then, so the caller
   * has to know its cluster, and to look again where it has found a stranger.
   */
  constructor(
    servers: readonly string[],
    port: number,
    localAddress?: string,
    mayBeAlone: () => boolean = () => false,
  ) {
    this.servers = servers
    this.mayBeAlone = mayBeAlone
    this.port = port
    this.localAddress = localAddress
  }

  /** One attempt. Rejects with NoMaster. */
  async find(): Promise<Found> {
    const tried: Record<string, string> = {}
    const { ip, silent } = await this.agreedMaster(tried)
    const named = ip ?? this.only(silent)
    const master =
      (await this.tryMaster(named, tried)) ??
      (await this.tryMaster(this.successor, tried)) ??
      (silent ? undefined : await this.promoted(named, tried))
    if (!master) throw new NoMaster(tried)
    this.close()
    return master
  }

  /**
   * One that says that it is the master and has a replica, while whom the Sentinels name is none. In a failover they
   * read the roles once a second, and until then name the dead one. It is safe to believe it: what counts as
   * acknowledged is what a replica has, and the replica can follow only one.
   */
  private async promoted(
    named: string | undefined,
    tried: Record<string, string>,
  ): Promise<Found | undefined> {
    const others = this.servers.filter((server) => server !== named)
    const found = await Promise.all(others.map((server) => this.tryMaster(server, {}, 1)))
    const [first, ...rest] = found.filter((one) => one !== undefined)
    for (const { redis } of rest) redis.disconnect()
    if (!first) return undefined
    delete tried[first.ip]
    return { ...first, tried }
  }

  /**
   * Connects and asks for the role. A replica names whom it follows: in a switchover the former master knows its
   * successor before the Sentinels do, and if that one says that it is the master, it is.
   * @param replicas how many it has to have
   */
  private async tryMaster(
    ip: string | undefined,
    tried: Record<string, string>,
    replicas = 0,
  ): Promise<Found | undefined> {
    this.successor = undefined
    if (ip === undefined) return undefined
    try {
      const { redis, reply } = await this.ask(ip, this.port, 'ROLE')
      const [role, follows, attached] = reply as [string, string, unknown]
      if (role === 'master' && (attached as unknown[]).length < replicas) throw new Error('has no replica')
      if (role === 'master') {
        delete tried[ip]
        // It is the caller's now.
        this.connections.delete(`${ip}:${this.port}`)
        return { ip, redis, tried }
      }
      if (role === 'slave' && this.servers.includes(follows!)) this.successor = follows
      throw new Error(`is a ${role === 'slave' ? 'replica' : role}, not the master`)
    } catch (error) {
      tried[ip] = sentenceOf(error)
      return undefined
    }
  }

  close(): void {
    for (const opening of this.connections.values()) disconnect(opening)
    this.connections.clear()
  }

  /** The server to be asked without a Sentinel: of several another one every time. */
  private only(silent: boolean): string | undefined {
    if (this.servers.length > 1 && !(silent && this.mayBeAlone())) return undefined
    return this.servers[Math.floor(Math.random() * this.servers.length)]
  }

  /**
   * Resolves as soon as a majority agrees, so that one server that does not answer costs no time. `silent`: no Sentinel
   * named anybody.
   */
  private agreedMaster(tried: Record<string, string>): Promise<{ ip?: string; silent: boolean }> {
    const needed = Math.floor(this.servers.length / 2) + 1
    const votes = new Map<string, number>()
    return new Promise((resolve) => {
      let open = this.servers.length
      for (const server of this.servers) {
        this.named(server)
          .then((ip) => {
            const count = (votes.get(ip) ?? 0) + 1
            votes.set(ip, count)
            if (ip !== server) tried[server] = `not the master; its Sentinel names ${ip}`
            if (count >= needed) resolve({ ip, silent: false })
          })
          .catch((error: unknown) => {
            tried[server] = `Sentinel at ${sentenceOf(error)}`
          })
          .finally(() => {
            open -= 1
            if (open === 0) resolve({ silent: votes.size === 0 })
          })
      }
    })
  }

  private async named(server: string): Promise<string> {
    const { reply } = await this.ask(
      server,
      SENTINEL_PORT,
      'SENTINEL',
      'GET-MASTER-ADDR-BY-NAME',
      MASTER_NAME,
    )
    if (!reply) throw new Error(`${server}:${SENTINEL_PORT} watches no master`)
    return (reply as string[])[0]!
  }

  /** One connection each, also while it is being opened: the next search does not wait for the answers of this one. */
  private async ask(
    server: string,
    port: number,
    ...[name, ...args]: [string, ...string[]]
  ): Promise<{ redis: Redis; reply: unknown }> {
    const key = `${server}:${port}`
    const local = this.localAddress === undefined ? {} : { localAddress: this.localAddress }
    const opening =
      this.connections.get(key) ?? connect({ host: server, port, connectMs: 300, commandMs: 800, ...local })
    this.connections.set(key, opening)
    try {
      const redis = await opening
      return { redis, reply: await redis.call(name, ...args) }
    } catch (error) {
      if (this.connections.get(key) === opening) {
        this.connections.delete(key)
        disconnect(opening)
      }
      throw error
    }
  }
}

function disconnect(opening: Promise<Redis>): void {
  opening.then(
    (redis) => redis.disconnect(),
    () => {},
  )
}
