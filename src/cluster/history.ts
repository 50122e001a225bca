import type { Redis } from 'ioredis'
import { keysUnder } from '../store/keys.ts'
import { textTable } from '../text/table.ts'

/** One change of master. Times are ms since the epoch, by the new master's clock. */
export interface MasterChange {
  readonly time: number
  readonly from: string
  readonly to: string
  readonly why: string
  readonly epoch: number
  /** How long no write was taken, in ms; undefined for the first master, or where the log does not reach back. */
  readonly gap?: number
  /** Whether the gap is that between two writes of agents; else it is an upper bound, from the marks. */
  readonly exact?: boolean
  /** How many batches agents sent again because they had seen no answer. */
  readonly resent: number
}

type LogEntry = readonly [id: string, fields: readonly string[]]

/** How long after a change agents may still send again, in milliseconds. */
const RESEND_MS = 30_000

/**
 * The last `count` changes of master that the store has, the newest first. The write gap is the longest time without any write
 * between the last mark of the old master and the first of the new one: marks are a second apart, the log's entries
 * in between make it exact.
 */
export async function masterChanges(redis: Redis, prefix: string, count = 100): Promise<MasterChange[]> {
  const keys = keysUnder(prefix)
  const events = (await redis.xrevrange(keys.events, '+', '-', 'COUNT', count)) as [string, string[]][]
  const changes: MasterChange[] = []
  for (const [id, flat] of events) {
    const of = new Map<string, string>()
    for (let i = 0; i + 1 < flat.length; i += 2) of.set(flat[i]!, flat[i + 1]!)
    const time = timeOf(id)
    const last = Number(of.get('last') || 0)
    const entries =
      last > 0
        ? ((await redis.xrange(keys.log, last, time + RESEND_MS, 'COUNT', 20_000)) as LogEntry[]).filter(
            isOfAgent,
          )
        : []
    const points = [last, ...entries.map(([entry]) => timeOf(entry)).filter((t) => t <= time), time]
    changes.push({
      time,
      from: of.get('from') ?? '',
      to: of.get('to') ?? '',
      why: of.get('why') ?? '',
      epoch: Number(of.get('epoch') ?? 0),
      ...(last > 0 && of.get('from') ? longest(points) : {}),
      resent: entries.filter(([, fields]) => fields[10] === 'r').length,
    })
  }
  return changes
}

export function historyText(changes: readonly MasterChange[]): string {
  if (changes.length === 0) return 'The master has never changed.\n'
  return textTable(
    ['When (UTC)', 'From', 'To', 'Why', 'Epoch', 'Write Gap', 'Batches Sent Again'],
    changes.map((change) => [
      new Date(change.time).toISOString().slice(0, 19).replace('T', ' '),
      change.from || '-',
      change.to,
      change.why,
      String(change.epoch),
      change.gap === undefined ? '-' : `${change.exact ? '' : 'at most '}${change.gap} ms`,
      String(change.resent),
    ]),
  )
}

/** The longest step between neighbours; the first and the last point are marks, those between are agents' writes. */
function longest(points: readonly number[]): { gap: number; exact: boolean } {
  const gaps = points.slice(1).map((point, i) => point - points[i]!)
  const gap = Math.max(...gaps)
  const at = gaps.indexOf(gap)
  return { gap, exact: at > 0 && at < gaps.length - 1 }
}

/** What the servers saw themselves (batch number 0) is written by the new master as soon as it is one. */
const isOfAgent = ([, fields]: LogEntry) => fields[5] !== '0'

function timeOf(streamId: string): number {
  return Number(streamId.slice(0, streamId.indexOf('-')))
}
