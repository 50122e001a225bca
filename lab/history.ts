import type { Redis } from 'ioredis'
import type { Batch } from '../src/agent/spool.ts'
import { readSecrets } from '../src/config/secrets.ts'
import { connect } from '../src/store/connection.ts'
import { keysUnder } from '../src/store/keys.ts'
import { READER, REDIS_PORT } from '../src/store/names.ts'
import { longestGap } from './gap.ts'
import { entriesOf } from './log.ts'
import type { LabServer } from './server.ts'

/** What became of the changes that agents made, by what one server holds. */
export interface Verdict {
  readonly acknowledged: number
  readonly lost: number
  readonly duplicated: number
  /** What else is wrong, a sentence each: order, state. */
  readonly faults: readonly string[]
}

interface Made {
  readonly seq: number
  /** The lines as the log has to hold them. */
  readonly lines: readonly string[]
}

/** Records what every agent made and what was acknowledged to it, and holds that against a server's log and state. */
export class History {
  private readonly made = new Map<string, Made[]>()
  private readonly marks = new Map<string, number>()
  private readonly acknowledgedAt: number[] = []

  watch(host: string): { spooled(batch: Batch): void; acknowledged(seq: number): void } {
    const made: Made[] = []
    this.made.set(host, made)
    this.marks.set(host, 0)
    return {
      spooled: ({ seq, payload }) => made.push({ seq, lines: logged(payload) }),
      acknowledged: (seq) => {
        if (seq <= this.marks.get(host)!) return
        this.marks.set(host, seq)
        this.acknowledgedAt.push(Date.now())
      },
    }
  }

  /** Changes acknowledged so far. */
  acknowledged(): number {
    let sum = 0
    for (const [host, made] of this.made) {
      for (const { seq, lines } of made) if (seq <= this.marks.get(host)!) sum += lines.length
    }
    return sum
  }

  /** Whether a change was acknowledged after this time (ms since the epoch). */
  acknowledgedSince(time: number): boolean {
    return (this.acknowledgedAt.at(-1) ?? 0) > time
  }

  /** Whether everything that was made is acknowledged. */
  complete(): boolean {
    return [...this.made].every(([host, made]) => (made.at(-1)?.seq ?? 0) <= this.marks.get(host)!)
  }

  /** The longest time, in ms, without any acknowledgement between two moments (ms since the epoch). */
  longestGap(from: number, to: number): number {
    return longestGap(this.acknowledgedAt, from, to)
  }

  /** Holds one server's log and state against what was made. */
  async check(server: LabServer): Promise<Verdict> {
    const prefix = readSecrets(server.paths)!.prefix
    const redis = await readerOf(server)
    try {
      const { lines, faults } = await readLog(redis, prefix, new Set(this.made.keys()))
      let [lost, duplicated, acknowledged] = [0, 0, 0]
      for (const [host, made] of this.made) {
        const counts = lines.get(host) ?? new Map<string, number>()
        for (const batch of made) {
          if (batch.seq > this.marks.get(host)!) continue
          for (const line of batch.lines) {
            acknowledged += 1
            if (!counts.has(line)) lost += 1
          }
        }
        for (const count of counts.values()) duplicated += count - 1
        faults.push(...(await this.checkState(redis, prefix, host)))
      }
      return { acknowledged, lost, duplicated, faults }
    } finally {
      redis.disconnect()
    }
  }

  private async checkState(redis: Redis, prefix: string, host: string): Promise<string[]> {
    const expected = new Map<string, string>()
    for (const { seq, lines } of this.made.get(host)!) {
      if (seq > this.marks.get(host)!) break
      for (const line of lines) {
        const [, table, key, row] = line.split('\t')
        if (row === undefined) expected.delete(`${table} ${key}`)
        else expected.set(`${table} ${key}`, row)
      }
    }
    const actual = await redis.hgetall(keysUnder(prefix).state('link', host))
    const wrong = [...expected].filter(
      ([key, row]) => actual[key.slice('link '.length)]?.replace(/^\d+ \d+ /, '') !== row,
    )
    if (wrong.length === 0 && Object.keys(actual).length === expected.size) return []
    return [`the state of ${host} differs from its changes in ${wrong.length} of ${expected.size} rows`]
  }
}

/** The lines of a payload as the log keeps them when the state was empty before: a full reading's rows are changes. */
function logged(payload: string): string[] {
  return payload
    .split('\n')
    .filter((line) => !/^[BE]\t/.test(line))
    .map((line) => line.replace(/^S\t/, 'P\t'))
}

async function readLog(
  redis: Redis,
  prefix: string,
  hosts: ReadonlySet<string>,
): Promise<{ lines: Map<string, Map<string, number>>; faults: string[] }> {
  const lines = new Map<string, Map<string, number>>()
  const last = new Map<string, number>()
  const faults: string[] = []
  for await (const { host, prev, seq, text } of entriesOf(redis, keysUnder(prefix).log)) {
    // The batch number 0 is of what the servers saw themselves.
    if (!hosts.has(host) || seq === 0) continue
    const before = last.get(host) ?? 0
    if (seq <= before || prev < before) faults.push(`${host}: batch ${seq} is out of order, after ${before}`)
    last.set(host, seq)
    const counts = lines.get(host) ?? new Map<string, number>()
    lines.set(host, counts)
    for (const line of text.split('\n')) counts.set(line, (counts.get(line) ?? 0) + 1)
  }
  return { lines, faults }
}

function readerOf(server: LabServer): Promise<Redis> {
  const secrets = readSecrets(server.paths)!
  const login = { username: READER, password: secrets.reader }
  return connect({
    host: server.address,
    port: REDIS_PORT,
    login,
    commandMs: 10_000,
  })
}
