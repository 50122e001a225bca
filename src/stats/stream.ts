import type { Redis } from 'ioredis'
import { readSecrets, type Secrets } from '../config/secrets.ts'
import type { Paths } from '../platform/paths.ts'
import { connect } from '../store/connection.ts'
import { keysUnder } from '../store/keys.ts'
import { READER, REDIS_PORT } from '../store/names.ts'
import type { Entry } from './points.ts'

/** What the local copy of the stream of statistics says. */
export interface Look {
  /** Changes with every promotion of a master; the numbers of entries are one line only within one of them. */
  readonly replid: string
  /** The entries that follow the one that was asked for, in order. */
  readonly entries: readonly Entry[]
  /** The oldest entry that is left, or the newest of those that are gone if none is; undefined while nothing was ever taken out of it. */
  readonly reachesBackTo?: string
}

/** The stream of statistics in this server's own Redis, read as the reader. */
export class StatsStream {
  private readonly paths: Paths
  private readonly address: string | undefined
  private redis: Redis | undefined
  private key = ''

  constructor(paths: Paths, address: string | undefined) {
    this.paths = paths
    this.address = address
  }

  /** At most `count` entries after `id`. Rejects with a sentence if Redis does not answer. */
  async after(id: string, count: number): Promise<Look> {
    const { redis, prefix } = await this.connected()
    const key = keysUnder(prefix).stats
    const pipeline = redis.pipeline()
    // In this order: what is read belongs to this replication id or a later one, and what was taken out before the
    // entries were read is seen to be gone.
    pipeline.info('replication')
    pipeline.xrange(key, `(${id}`, '+', 'COUNT', count)
    pipeline.xinfo('STREAM', key)
    const [info, entries, stream] = ((await pipeline.exec()) ?? []).map(([error, value]) => {
      if (error && !/no such key/.test(error.message)) throw error
      return value
    })
    const back = Array.isArray(stream) ? oldestLeft(stream) : undefined
    return {
      replid: /^master_replid:(\w+)/m.exec(String(info))?.[1] ?? '',
      entries: (entries as [string, string[]][]).map(entryOf),
      ...(back === undefined ? {} : { reachesBackTo: back }),
    }
  }

  close(): void {
    this.redis?.disconnect()
    this.redis = undefined
  }

  private async connected(): Promise<{ redis: Redis; prefix: string }> {
    const secrets = readSecrets(this.paths)
    if (!secrets) throw new Error('this server is not set up yet: cts-auth has not run on it')
    // A server that joins a cluster takes that cluster's secrets.
    if (this.redis?.status !== 'ready' || this.key !== secrets.key) {
      this.close()
      this.redis = await this.open(secrets)
      this.key = secrets.key
    }
    return { redis: this.redis, prefix: secrets.prefix }
  }

  private open({ reader: password }: Secrets): Promise<Redis> {
    return connect({
      host: this.address ?? '127.0.0.1',
      port: REDIS_PORT,
      login: { username: READER, password },
      commandMs: 5000,
      ...(this.address === undefined ? {} : { localAddress: this.address }),
    })
  }
}

/** From the answer to XINFO STREAM. */
function oldestLeft(reply: unknown[]): string | undefined {
  const field = (name: string) => reply[reply.indexOf(name) + 1]
  if (Number(field('entries-added')) === Number(field('length'))) return undefined
  const first = field('first-entry') as [string, unknown] | null
  return first ? first[0] : String(field('last-generated-id'))
}

function entryOf([id, fields]: [string, string[]]): Entry {
  const names = fields.filter((_, i) => i % 2 === 0)
  const value = (name: string) => fields[2 * names.indexOf(name) + 1] ?? ''
  return { id, host: value('h'), time: value('t'), lines: value('d') }
}

/** When the entry was written, ms since the epoch. */
export function timeOfId(id: string): number {
  return Number(id.split('-')[0])
}

export function isBefore(a: string, b: string): boolean {
  const number = (id: string) => Number(id.split('-')[1] ?? 0)
  return timeOfId(a) - timeOfId(b) < 0 || (timeOfId(a) === timeOfId(b) && number(a) < number(b))
}
