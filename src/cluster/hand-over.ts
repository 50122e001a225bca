import type { Redis } from 'ioredis'
import { REDIS_PORT } from '../store/names.ts'

/** How long writes may be paused; then Redis takes them again by itself. Less than the Sentinels' patience; milliseconds. */
const PAUSE_MS = 900
/** How long the successor may take to have everything, in milliseconds: far less, so that the pause still holds. */
const CATCH_UP_MS = 400

/**
 * Hands the master's role over without losing a write: writes are paused, the successor reaches the very offset of the
 * master, is promoted, and the master follows it. Where it stops before the promotion, the pause runs out and nothing
 * has changed; after it, the former master is a replica of its successor, whose own cts-auth then tells the Sentinels.
 *
 * Redis' own FAILOVER was measured first: 45-1040 ms, median 750 ms, because it waits for a replica's periodic
 * acknowledgement whenever a WAIT came just before, and agents always WAIT. Reading the offsets instead takes 2-5 ms.
 *
 * Rejects with a sentence if nothing was changed.
 */
export async function handOver(master: Redis, successor: Redis, ip: string): Promise<void> {
  // A ping to the replicas in between would put the master's offset beyond its successor's: a full copy would follow.
  const period = ((await master.config('GET', 'repl-ping-replica-period')) as string[])[1] ?? '10'
  await master.config('SET', 'repl-ping-replica-period', '3600')
  try {
    await master.call('CLIENT', 'PAUSE', PAUSE_MS, 'WRITE')
    const end = performance.now() + CATCH_UP_MS
    while (
      (await offsetOf(master, 'master_repl_offset')) !== (await offsetOf(successor, 'slave_repl_offset'))
    ) {
      if (performance.now() > end)
        throw new Error(`${ip} did not catch up within ${CATCH_UP_MS} ms; nothing was changed`)
    }
    await successor.call('REPLICAOF', 'NO', 'ONE')
    await master.call('REPLICAOF', ip, REDIS_PORT)
  } finally {
    await master.call('CLIENT', 'UNPAUSE')
    await master.config('SET', 'repl-ping-replica-period', period)
  }
}

async function offsetOf(redis: Redis, field: string): Promise<string | undefined> {
  return new RegExp(`^${field}:(\\d+)`, 'm').exec(await redis.info('replication'))?.[1]
}
