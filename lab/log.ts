import type { Redis } from 'ioredis'

/** One entry of the log, as netq.lua writes it. */
export interface RawEntry {
  readonly id: string
  readonly host: string
  readonly prev: number
  /** 0: not a batch of an agent, but what the servers saw themselves. */
  readonly seq: number
  /** The lines of the changes. */
  readonly text: string
  /** All of its fields, names and values in turns. */
  readonly fields: readonly string[]
}

const ENTRIES_AT_ONCE = 2000

/** All entries of the log `key` after the one with the id `after`, in order; '' for the beginning. */
export async function* entriesOf(redis: Redis, key: string, after = ''): AsyncGenerator<RawEntry> {
  for (let from = after === '' ? '-' : `(${after}`; ; ) {
    const entries = (await redis.xrange(key, from, '+', 'COUNT', ENTRIES_AT_ONCE)) as [string, string[]][]
    for (const [id, fields] of entries) {
      const [, host = '', , prev, , seq, , , , text = ''] = fields
      yield { id, host, prev: Number(prev), seq: Number(seq), text, fields }
    }
    const last = entries.at(-1)
    if (!last || entries.length < ENTRIES_AT_ONCE) return
    from = `(${last[0]}`
  }
}
