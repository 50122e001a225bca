import type { Redis } from 'ioredis'
import type { Row, StoredRow } from '../tables/table.ts'
import { connect, type Target } from './connection.ts'
import { keysUnder } from './keys.ts'
import type { AgentInfo, AgentRecord, StoreHealth, StoreReader } from './types.ts'

/** Hosts asked in one pipeline: bounds what is in memory at a time without costing round trips that matter. */
const HOSTS_AT_ONCE = 100

/** How netqd reads: from the Redis of its own server, connecting anew when that was restarted. */
export class LocalReader implements StoreReader {
  private readonly target: Target
  private readonly keys: ReturnType<typeof keysUnder>
  private redis: Redis | undefined

  constructor(target: Target, prefix: string) {
    this.target = target
    this.keys = keysUnder(prefix)
  }

  async agents(): Promise<AgentRecord[]> {
    const redis = await this.connected()
    const hosts = (await redis.smembers(this.keys.hosts)).sort()
    const records = await this.each(hosts, (host) => this.keys.agent(host))
    return hosts.map((host, i) => agentRecord(host, records[i]!))
  }

  async rows(table: string, hostnames: readonly string[]): Promise<StoredRow[]> {
    const hashes = await this.each(hostnames, (host) => this.keys.state(table, host))
    return hashes.flatMap((hash, i) => Object.values(hash).map((text) => storedRow(hostnames[i]!, text)))
  }

  async health(): Promise<StoreHealth> {
    const redis = await this.connected()
    const [time, since] = await redis.hmget(this.keys.cluster, 'marker-time', 'writable-since')
    return { markerTime: Number(time ?? 0), writableSince: Number(since ?? 0) }
  }

  close(): void {
    this.redis?.disconnect()
  }

  private async connected(): Promise<Redis> {
    if (this.redis?.status !== 'ready') this.redis = await connect(this.target)
    return this.redis
  }

  private async each(
    hosts: readonly string[],
    key: (host: string) => string,
  ): Promise<Record<string, string>[]> {
    const redis = await this.connected()
    const all: Record<string, string>[] = []
    for (let i = 0; i < hosts.length; i += HOSTS_AT_ONCE) {
      const pipeline = redis.pipeline()
      for (const host of hosts.slice(i, i + HOSTS_AT_ONCE)) pipeline.hgetall(key(host))
      for (const [error, value] of (await pipeline.exec()) ?? []) {
        if (error) throw error
        all.push(value as Record<string, string>)
      }
    }
    return all
  }
}

/** "<server time> <agent time> <row as JSON>", as netq.lua writes it. */
function storedRow(hostname: string, text: string): StoredRow {
  const first = text.indexOf(' ')
  const second = text.indexOf(' ', first + 1)
  return {
    hostname,
    serverTime: Number(text.slice(0, first)),
    agentTime: Number(text.slice(first + 1, second)),
    row: JSON.parse(text.slice(second + 1)) as Row,
  }
}

function agentRecord(hostname: string, hash: Record<string, string>): AgentRecord {
  const info: AgentInfo = hash.info
    ? (JSON.parse(hash.info) as AgentInfo)
    : { version: '', systemStart: 0, agentStart: 0, spooledBatches: 0, spooledBytes: 0 }
  return {
    hostname,
    mark: Number(hash.mark ?? 0),
    seen: Number(hash.seen ?? 0),
    skew: Number(hash.skew ?? 0),
    initialized: Number(hash.initialized ?? 0),
    info,
  }
}
