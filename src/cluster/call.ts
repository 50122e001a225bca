import type { Redis } from 'ioredis'

/** Calls a function of the library. Rejects with a sentence where Redis refuses because it has no replica. */
export async function call(redis: Redis, name: string, ...args: string[]): Promise<unknown> {
  try {
    return await redis.call('FCALL', name, 0, ...args)
  } catch (error) {
    if (/^NOREPLICAS/.test((error as Error).message)) {
      throw new Error(
        'no replica is connected: the master takes no writes, so that there are never two masters',
      )
    }
    throw error
  }
}
