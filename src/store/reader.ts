import type { ChainableCommander } from 'ioredis'
import type { SentRecord } from '../api/notifications.ts'
import type { Row, StoredRow, Value } from '../tables/table.ts'
import { connect, type Target } from './connection.ts'
import { keysUnder } from './keys.ts'
import { SharedConnection } from './shared-connection.ts'
import type { AgentInfo, AgentRecord, StoreHealth, StoreReader } from './types.ts'

/** Hosts asked in one pipeline: bounds what is in memory at a time without costing round trips that matter. */
const HOSTS_AT_ONCE = 100
/** Notifications shown at most. */
const RECORDS = 1000

/** How netqd reads: from the Redis of its own server, connecting anew when that was restarted. */
export class LocalReader implements StoreReader {
  private readonly keys: ReturnType<typeof keysUnder>
  private readonly connection: SharedConnection

  constructor(target: Target, prefix: string) {
    this.connection = new SharedConnection(() => connect(target))
    this.keys = keysUnder(prefix)
  }

  async agents(fits: (hostname: string) => boolean = () => true): Promise<AgentRecord[]> {
    const redis = await this.connection.get()
    const hosts = (await redis.smembers(this.keys.hosts)).filter(fits).sort()
    const records = await this.each<Record<string, string>>(hosts, (pipeline, host) =>
      pipeline.hgetall(this.keys.agent(host)),
    )
    return hosts.map((host, i) => agentRecord(host, records[i]!))
  }

  async rows(table: string, hostnames: readonly string[]): Promise<StoredRow[]> {
    const values = await this.each<string[]>(hostnames, (pipeline, host) =>
      pipeline.hvals(this.keys.state(table, host)),
    )
    return values.flatMap((texts, i) => texts.flatMap((text) => storedRow(hostnames[i]!, text) ?? []))
  }

  async health(): Promise<StoreHealth> {
    const redis = await this.connection.get()
    const [time, since] = await redis.hmget(this.keys.cluster, 'marker-time', 'writable-since')
    return { markerTime: Number(time ?? 0), writableSince: Number(since ?? 0) }
  }

  async notifications(): Promise<SentRecord[]> {
    const redis = await this.connection.get()
    const entries = await redis.xrevrange(this.keys.notifications, '+', '-', 'COUNT', RECORDS)
    return entries.map(([, [, text]]) => JSON.parse(text!) as SentRecord)
  }

  /** When the newest entry of the stream of statistics was written, ms since the epoch; undefined if there is none. */
  async statsEnd(): Promise<number | undefined> {
    const redis = await this.connection.get()
    const [entry] = await redis.xrevrange(this.keys.stats, '+', '-', 'COUNT', 1)
    return entry ? Number(entry[0].split('-')[0]) : undefined
  }

  close(): void {
    this.connection.close()
  }

  /** What the command of each host answers, in their order. */
  private async each<T>(
    hosts: readonly string[],
    command: (pipeline: ChainableCommander, host: string) => void,
  ): Promise<T[]> {
    const redis = await this.connection.get()
    const all: T[] = []
    for (let i = 0; i < hosts.length; i += HOSTS_AT_ONCE) {
      const pipeline = redis.pipeline()
      for (const host of hosts.slice(i, i + HOSTS_AT_ONCE)) command(pipeline, host)
      for (const [error, value] of (await pipeline.exec()) ?? []) {
        if (error) throw error
        all.push(value as T)
      }
    }
    return all
  }
}

/**
 * "<server time> <agent time> <row as JSON>", as netq.lua writes it; undefined if the row is not one. Anybody on the
 * network can push what the function takes, and one bad row must not hide all the others.
 */
function storedRow(hostname: string, text: string): StoredRow | undefined {
  const first = text.indexOf(' ')
  const second = text.indexOf(' ', first + 1)
  const row = objectOf(text.slice(second + 1))
  if (!row || !Object.values(row).every(isValue)) return undefined
  return {
    hostname,
    serverTime: Number(text.slice(0, first)),
    agentTime: Number(text.slice(first + 1, second)),
    row: row as Row,
  }
}

function objectOf(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function isValue(value: unknown): value is Value {
  if (Array.isArray(value)) return value.every((item) => typeof item === 'string')
  return value === null || ['string', 'number', 'boolean'].includes(typeof value)
}

function agentRecord(hostname: string, hash: Record<string, string>): AgentRecord {
  const said = objectOf(hash.info ?? '{}') ?? {}
  const number = (name: keyof AgentInfo) => (typeof said[name] === 'number' ? said[name] : 0)
  const info: AgentInfo = {
    version: typeof said.version === 'string' ? said.version : '',
    systemStart: number('systemStart'),
    agentStart: number('agentStart'),
    spooledBatches: number('spooledBatches'),
    spooledBytes: number('spooledBytes'),
    ...(typeof said.stats === 'boolean' ? { stats: said.stats } : {}),
    ...(typeof said.ntpSync === 'boolean' ? { ntpSync: said.ntpSync } : {}),
  }
  return {
    hostname,
    mark: Number(hash.mark ?? 0),
    seen: Number(hash.seen ?? 0),
    skew: Number(hash.skew ?? 0),
    initialized: Number(hash.initialized ?? 0),
    info,
  }
}
