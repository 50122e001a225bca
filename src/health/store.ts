import type { Redis } from 'ioredis'
import { connect, type Target } from '../store/connection.ts'
import { keysUnder } from '../store/keys.ts'
import { LocalReader } from '../store/reader.ts'
import type { AgentRecord, StoreHealth } from '../store/types.ts'
import type { Figures } from './types.ts'

/** How long an answer may wait for the store, in milliseconds. */
const DEADLINE_MS = 900
/** What was read is good for this long, in milliseconds: many who ask at once cost one reading. */
const KEEP_MS = 1000
const CONNECT_MS = 300
const COMMAND_MS = 500

/** How to get into the local Redis, for reading; it changes when this server joins a cluster. */
export interface Access {
  readonly host: string
  readonly port: number
  readonly login: { readonly username: string; readonly password: string }
  readonly localAddress?: string
  /** The secret that every key begins with. */
  readonly prefix: string
}

/** What to call an agent: see query/freshness.ts. */
export type StatusOf = (
  agent: AgentRecord,
  health: StoreHealth,
  now: number,
) => { readonly status: 'Fresh' | 'Waiting' | 'Rotten' }

/**
 * Reads the local store when somebody asks and never else: it connects at the first question. Every question ends
 * within a second, whatever Redis does.
 */
export class HealthStore {
  private readonly access: () => Access
  private readonly statusOf: StatusOf
  private connections: Connections | undefined
  private prefix = ''
  private reading: Promise<Figures> | undefined
  private read: { figures: Figures; at: number } | undefined
  private took: { key: string; since: number } | undefined

  constructor(access: () => Access, statusOf: StatusOf) {
    this.access = access
    this.statusOf = statusOf
  }

  /** Rejects with a sentence if Redis does not answer. */
  async figures(): Promise<Figures> {
    if (this.read && performance.now() - this.read.at < KEEP_MS) return this.read.figures
    this.reading ??= this.inTime(readFigures(this.connected(), this.statusOf))
      .then((figures) => {
        this.read = { figures, at: performance.now() }
        return figures
      })
      .finally(() => {
        this.reading = undefined
      })
    return this.reading
  }

  /**
   * When the server `ip` took this role, ms since the epoch; undefined while the store does not know it or does not
   * answer. It is read once in a role and epoch.
   */
  async since(ip: string, role: string, epoch: number): Promise<number | undefined> {
    const key = `${this.access().prefix} ${ip} ${role} ${epoch}`
    if (this.took?.key === key) return this.took.since
    try {
      const text = await this.inTime(this.connected().roleOf(ip))
      const [known, since] = text?.split(' ') ?? []
      if (known !== role) return undefined
      this.took = { key, since: Number(since) }
      return this.took.since
    } catch {
      return undefined
    }
  }

  close(): void {
    this.connections?.close()
    this.connections = undefined
  }

  private connected(): Connections {
    const access = this.access()
    if (access.prefix !== this.prefix) this.close()
    this.prefix = access.prefix
    this.connections ??= new Connections(access)
    return this.connections
  }

  /** The result, or a rejection at the deadline; connections on which nothing comes are then given up. */
  private async inTime<T>(question: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`Redis did not answer in ${DEADLINE_MS} ms`)), DEADLINE_MS)
    })
    try {
      return await Promise.race([question, late])
    } catch (error) {
      this.close()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }
}

/** One connection for the figures, and the reader of the agents; each is opened when it is first needed. */
class Connections {
  readonly reader: LocalReader
  private readonly target: Target
  private readonly keys: ReturnType<typeof keysUnder>
  private opened: Promise<Redis> | undefined
  private closed = false

  constructor({ prefix, ...target }: Access) {
    this.target = { ...target, connectMs: CONNECT_MS, commandMs: COMMAND_MS }
    this.keys = keysUnder(prefix)
    this.reader = new LocalReader(this.target, prefix)
  }

  async memoryAndLog(): Promise<{ memory: string; logEntries: number }> {
    const redis = await this.redis()
    const [memory, logEntries] = await Promise.all([redis.info('memory'), redis.xlen(this.keys.log)])
    return { memory, logEntries }
  }

  /** "<role> <since>" */
  async roleOf(ip: string): Promise<string | null> {
    return (await this.redis()).hget(this.keys.roles, ip)
  }

  close(): void {
    this.closed = true
    this.reader.close()
    this.opened?.then(
      (redis) => redis.disconnect(),
      () => {},
    )
  }

  private redis(): Promise<Redis> {
    this.opened ??= connect(this.target).then((redis) => {
      if (this.closed) redis.disconnect()
      // Redis was started anew: so is the connection, at the next question.
      redis.once('end', () => {
        this.opened = undefined
      })
      return redis
    })
    return this.opened
  }
}

async function readFigures(connections: Connections, statusOf: StatusOf): Promise<Figures> {
  const { memory, logEntries } = await connections.memoryAndLog()
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(memory)?.[1] ?? 0)
  const health = await connections.reader.health()
  const known = await connections.reader.agents()
  const now = Date.now()
  const agents = { fresh: 0, waiting: 0, rotten: 0 }
  for (const agent of known) agents[nameOf(statusOf(agent, health, now).status)] += 1
  // Anybody on the network can say this of an agent: a number that is none must not spoil the sum.
  const spooled = known.map(({ info }) => info.spooledBatches).map((n) => (n >= 0 && n < 1e12 ? n : 0))
  return {
    memoryUsedBytes: field('used_memory'),
    memoryMaxBytes: field('maxmemory'),
    logEntries,
    agents,
    spooledSum: spooled.reduce((sum, n) => sum + n, 0),
    spooledMax: spooled.reduce((max, n) => Math.max(max, n), 0),
  }
}

function nameOf(status: 'Fresh' | 'Waiting' | 'Rotten'): keyof Figures['agents'] {
  return status === 'Fresh' ? 'fresh' : status === 'Waiting' ? 'waiting' : 'rotten'
}
