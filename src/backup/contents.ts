import type { Redis } from 'ioredis'
import { FORMAT, keysUnder } from '../store/keys.ts'

/** What is in a store, as far as two copies of it can be compared by it. */
export interface Contents {
  /** What its keys begin with: the secret of the cluster that wrote them. */
  readonly prefix: string
  readonly clusterId: string
  /** Orders copies of one cluster; the time of the last mark, ms since the epoch, is when it was as it is. */
  readonly marker: number
  readonly markerTime: number
  /** Batches that were ever applied. */
  readonly applied: number
  /** The mark of each agent, by host name. */
  readonly marks: ReadonlyMap<string, number>
}

const KEY = /^(nq:[0-9a-f]{24}:)[dcr]:/
const SCAN_COUNT = '1000'

/** What a loaded backup holds. Rejects with a sentence if it is not one that can be restored. */
export async function contentsOfBackup(redis: Redis, path: string): Promise<Contents> {
  const prefixes = new Set<string>()
  for await (const keys of scan(redis, '*')) {
    for (const key of keys) {
      const [, prefix] = KEY.exec(key) ?? []
      if (prefix === undefined)
        throw new Error(
          `${path} is not a backup of netq: it holds the key ${JSON.stringify(key.slice(0, 40))}`,
        )
      prefixes.add(prefix)
    }
  }
  const [prefix, other] = prefixes
  if (prefix === undefined) throw new Error(`${path} is empty: there is nothing in it to restore`)
  if (other !== undefined) throw new Error(`${path} holds the data of more than one cluster`)
  const format = await redis.hget(keysUnder(prefix).cluster, 'format')
  if (format !== FORMAT) {
    throw new Error(
      `${path} was written by another version of netq (its data have the format ${format ?? 'of before 1'}, and this version reads ${FORMAT})`,
    )
  }
  return contentsOf(redis, prefix)
}

/** What a store holds whose keys begin with this. */
export async function contentsOf(redis: Redis, prefix: string): Promise<Contents> {
  const keys = keysUnder(prefix)
  const hosts = await redis.smembers(keys.hosts)
  const pipeline = redis.pipeline()
  pipeline.hmget(keys.cluster, 'id', 'marker-n', 'marker-time')
  pipeline.get(keys.applied)
  for (const host of hosts) pipeline.hget(keys.agent(host), 'mark')
  const [cluster, applied, ...marks] = ((await pipeline.exec()) ?? []).map(([error, value]) => {
    if (error) throw error
    return value
  })
  const [clusterId, marker, markerTime] = cluster as (string | null)[]
  return {
    prefix,
    clusterId: clusterId ?? '',
    marker: Number(marker ?? 0),
    markerTime: Number(markerTime ?? 0),
    applied: Number(applied ?? 0),
    marks: new Map(hosts.map((host, i) => [host, Number(marks[i] ?? 0)])),
  }
}

/** Keys in parts, each as often as it may be: SCAN gives some twice. */
export async function* scan(redis: Redis, pattern: string): AsyncGenerator<string[]> {
  let cursor = '0'
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT)
    cursor = next
    yield keys
  } while (cursor !== '0')
}

/** What is wrong with a copy that was made between two looks at the store; undefined if nothing is. */
export function differenceOf(copy: Contents, before: Contents, after: Contents): string | undefined {
  if (copy.clusterId !== before.clusterId) return 'it names another cluster'
  const within = (value: number, low: number, high: number) => value >= low && value <= high
  if (!within(copy.marker, before.marker, after.marker))
    return `its mark is ${copy.marker}, not that of the store`
  if (!within(copy.applied, before.applied, after.applied))
    return `it has ${copy.applied} batches, and the store had ${before.applied} to ${after.applied}`
  for (const [host, mark] of before.marks) {
    if (!within(copy.marks.get(host) ?? -1, mark, after.marks.get(host) ?? mark))
      return `it has ${copy.marks.get(host) ?? 'none'} as the last batch of ${host}, and the store had ${mark}`
  }
  return undefined
}
