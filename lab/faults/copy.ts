import type { Redis } from 'ioredis'
import { keysUnder } from '../../src/store/keys.ts'
import { entriesOf, type RawEntry } from '../log.ts'

/** One entry of the log. */
export interface LogEntry extends Omit<RawEntry, 'text' | 'fields'> {
  readonly lines: readonly string[]
  /** All of its fields as they are, to be compared with those of another server. */
  readonly raw: string
}

/** What one server holds. */
export interface Copy {
  readonly server: string
  /** How many entries the whole log has. */
  readonly length: number
  /** The entries after a certain one. */
  readonly log: readonly LogEntry[]
  /** How many batches were ever applied. */
  readonly applied: number
  /** By host. */
  readonly marks: ReadonlyMap<string, number>
  /** By host: "<table>\t<key>" -> "<server time> <agent time> <row>". */
  readonly states: ReadonlyMap<string, ReadonlyMap<string, string>>
}

/** The tables that the harness' agents have. */
const TABLES = ['link'] as const

/**
 * Reads what a server holds, from its own Redis.
 * @param after the id of the last entry of the log that is known already; '' for none
 */
export async function copyOf(
  server: string,
  redis: Redis,
  prefix: string,
  hosts: readonly string[],
  after: string,
): Promise<Copy> {
  const keys = keysUnder(prefix)
  // First, while agents are quiet: who has applied everything by now has everything that is read after it.
  const applied = Number((await redis.get(keys.applied)) ?? 0)
  const marks = new Map<string, number>()
  const states = new Map<string, ReadonlyMap<string, string>>()
  for (const host of hosts) {
    marks.set(host, Number((await redis.hget(keys.agent(host), 'mark')) ?? 0))
    const rows = new Map<string, string>()
    for (const table of TABLES) {
      const held = await redis.hgetall(keys.state(table, host))
      for (const [key, row] of Object.entries(held)) rows.set(`${table}\t${key}`, row)
    }
    states.set(host, rows)
  }
  return {
    server,
    length: await redis.xlen(keys.log),
    log: await logOf(redis, keys.log, after),
    applied,
    marks,
    states,
  }
}

async function logOf(redis: Redis, key: string, after: string): Promise<LogEntry[]> {
  const log: LogEntry[] = []
  for await (const { text, fields, ...entry } of entriesOf(redis, key, after))
    log.push({ ...entry, lines: text.split('\n'), raw: fields.join('\0') })
  return log
}

/** Where two servers' copies differ, a sentence each; none if they are equal. */
export function differences(one: Copy, other: Copy): string[] {
  const found: string[] = []
  const both = `${one.server} and ${other.server}`
  if (one.length !== other.length)
    found.push(`the logs of ${both} have ${one.length} and ${other.length} entries`)
  const index = one.log.findIndex(({ id, raw }, i) => other.log[i]?.id !== id || other.log[i]?.raw !== raw)
  const at = index >= 0 ? one.log[index] : other.log[one.log.length]
  if (at) found.push(`the logs of ${both} differ from entry ${at.id} on (${at.host}, batch ${at.seq})`)
  if (one.applied !== other.applied)
    found.push(`${both} have applied ${one.applied} and ${other.applied} batches`)
  for (const [host, state] of one.states) {
    const others = other.states.get(host)!
    const keys = new Set([...state.keys(), ...others.keys()])
    const wrong = [...keys].filter((key) => state.get(key) !== others.get(key))
    if (wrong.length > 0) found.push(`the states of ${host} on ${both} differ in ${wrong.length} rows`)
  }
  return found
}
