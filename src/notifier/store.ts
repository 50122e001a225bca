import type { Redis } from 'ioredis'
import type { Secrets } from '../config/secrets.ts'
import { connect } from '../store/connection.ts'
import { keysUnder } from '../store/keys.ts'
import { NOTIFIER, REDIS_PORT } from '../store/names.ts'

/** One entry of the log: what one batch of one host changed, or what the servers saw themselves. */
export interface LogEntry {
  /** "<milliseconds>-<n>" */
  readonly id: string
  readonly host: string
  /** Whether the servers saw this themselves; anybody on the network can send what an agent sends. */
  readonly own: boolean
  /** Lines as netq.lua keeps them. */
  readonly lines: readonly string[]
  /** For each line the row before as JSON, '' for none; empty if no line has one. */
  readonly before: readonly string[]
}

/** A row that the servers see: `row` undefined if it is gone. */
export interface Observation {
  readonly table: string
  readonly host: string
  readonly key: string
  readonly row: object | undefined
}

/** The settings of all servers, as one of them published them; version 0: nobody did. */
export interface SharedSettings {
  readonly version: number
  readonly text: string
}

/** Somebody else changed the settings first. */
export class Stale extends Error {}

/** How long a WAIT for a replica may take, in milliseconds; past it the master may be cut off. */
const WAIT_MS = 1000
/** Observations in one call: the master does nothing else meanwhile. */
const OBSERVATIONS_AT_ONCE = 500

/** What the notifier asks of one Redis. A method that rejects leaves the connection unusable; make a new one. */
export class NotifierStore {
  private readonly redis: Redis
  private readonly keys: ReturnType<typeof keysUnder>

  private constructor(redis: Redis, prefix: string) {
    this.redis = redis
    this.keys = keysUnder(prefix)
  }

  /** @param self the address of this server, whose connection it is */
  static async open(host: string, secrets: Secrets, self: string | undefined): Promise<NotifierStore> {
    const redis = await connect({
      host,
      port: REDIS_PORT,
      login: { username: NOTIFIER, password: secrets.notifier },
      ...(self === undefined ? {} : { localAddress: self }),
      commandMs: 3000,
    })
    return new NotifierStore(redis, secrets.prefix)
  }

  get usable(): boolean {
    return this.redis.status === 'ready'
  }

  close(): void {
    this.redis.disconnect()
  }

  async isMaster(): Promise<boolean> {
    const [role] = (await this.redis.call('ROLE')) as string[]
    return role === 'master'
  }

  /** Entries after the given one, oldest first. */
  async entriesAfter(id: string, count: number): Promise<LogEntry[]> {
    const entries = (await this.redis.xrange(this.keys.log, `(${id}`, '+', 'COUNT', count)) as RawEntry[]
    return entries.map(entryOf)
  }

  /** The entry of this id; undefined if it was never there or is no longer kept. */
  async entry(id: string): Promise<LogEntry | undefined> {
    const [found] = (await this.redis.xrange(this.keys.log, id, id)) as RawEntry[]
    return found && entryOf(found)
  }

  /** The id of the newest entry; '0-0' while there is none. */
  async lastEntry(): Promise<string> {
    const [last] = (await this.redis.xrevrange(this.keys.log, '+', '-', 'COUNT', 1)) as RawEntry[]
    return last?.[0] ?? '0-0'
  }

  /** Whether entries after this one are no longer in the log. */
  async forgotAfter(id: string): Promise<boolean> {
    const lost = await this.redis.hget(this.keys.cluster, 'log-lost')
    if (!lost || !isAfter(lost, id)) return false
    const [first] = (await this.redis.xrange(this.keys.log, '-', '+', 'COUNT', 1)) as RawEntry[]
    return first === undefined || isAfter(first[0], id)
  }

  /** How far an integration was told; undefined if it never was. */
  async cursor(integration: string): Promise<string | undefined> {
    return (await this.redis.hget(this.keys.cursors, integration)) ?? undefined
  }

  /** Forgets how far those were told that are no integrations any more: a new one of that name begins with what is new. */
  async forgetOthers(integrations: readonly string[]): Promise<void> {
    const known = await this.redis.hkeys(this.keys.cursors)
    const others = known.filter((name) => !integrations.includes(name))
    if (others.length > 0) await this.redis.hdel(this.keys.cursors, ...others)
  }

  /**
   * Moves an integration's cursor, keeps records of what was sent, and returns once a replica has it (with HA off: at
   * once). Rejects if it cannot be proven; nothing may then be sent, because this may no longer be the master.
   */
  async notified(integration: string, cursor: string, records: readonly object[]): Promise<void> {
    const texts = records.map((record) => JSON.stringify(record))
    await this.redis.call('FCALL', 'netq_notified', 0, integration, cursor, ...texts)
    await this.prove()
  }

  /** Writes down what differs from what was seen last. Rejects like `notified`. */
  async observe(observations: readonly Observation[]): Promise<void> {
    for (let i = 0; i < observations.length; i += OBSERVATIONS_AT_ONCE) {
      const args = observations
        .slice(i, i + OBSERVATIONS_AT_ONCE)
        .flatMap(({ table, host, key, row }) => [table, host, key, row ? JSON.stringify(row) : ''])
      await this.redis.call('FCALL', 'netq_observe', 0, ...args)
    }
  }

  /** What was observed last, as "<table> <host> <key>" separated by tabs. */
  async observed(): Promise<Record<string, string>> {
    return this.redis.hgetall(this.keys.observed)
  }

  async settings(): Promise<SharedSettings> {
    const [version, text] = await this.redis.hmget(this.keys.settings, 'version', 'text')
    return { version: Number(version ?? 0), text: text ?? '' }
  }

  /** Publishes settings made from those of `version`, on the master. Rejects with Stale if they are not the newest. */
  async publish(version: number, text: string): Promise<number> {
    try {
      const made = Number(await this.redis.call('FCALL', 'netq_settings', 0, String(version), text))
      await this.prove()
      return made
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('STALE '))
        throw new Stale(error.message.slice(6))
      throw error
    }
  }

  /** Everything written on this connection so far is on a replica, where the cluster has any. */
  private async prove(): Promise<void> {
    const servers = (await this.redis.hget(this.keys.cluster, 'servers')) ?? ''
    if (servers.split(' ').length < 2) return
    if (Number(await this.redis.call('WAIT', 1, WAIT_MS)) < 1)
      throw new Error('no replica has confirmed a write of the notifier within a second')
  }
}

/** Whether an entry's id is greater than another's. */
function isAfter(a: string, b: string): boolean {
  const [ams = 0, an = 0] = a.split('-').map(Number)
  const [bms = 0, bn = 0] = b.split('-').map(Number)
  return ams > bms || (ams === bms && an > bn)
}

type RawEntry = [id: string, fields: string[]]

function entryOf([id, fields]: RawEntry): LogEntry {
  const of = new Map<string, string>()
  for (let i = 0; i + 1 < fields.length; i += 2) of.set(fields[i]!, fields[i + 1]!)
  return {
    id,
    host: of.get('h') ?? '',
    own: of.get('q') === '0',
    lines: (of.get('d') ?? '').split('\n'),
    before: of.get('o')?.split('\n') ?? [],
  }
}
