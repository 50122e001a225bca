import { asAdmin } from '../../lab/admin.ts'
import type { LabServer } from '../../lab/server.ts'

/** What the Redis or the Sentinel of a server answers to its administrator. */
export async function adminOf(
  server: LabServer,
  port: number,
  ...words: [string, ...string[]]
): Promise<unknown> {
  const redis = await asAdmin(server, port)
  try {
    return await redis.call(...words)
  } finally {
    redis.disconnect()
  }
}
