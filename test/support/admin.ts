import type { LabServer } from '../../lab/server.ts'
import { readSecrets } from '../../src/config/secrets.ts'
import { connect } from '../../src/store/connection.ts'
import { ADMIN } from '../../src/store/names.ts'

/** What the Redis or the Sentinel of a server answers to its administrator. */
export async function adminOf(
  server: LabServer,
  port: number,
  ...words: [string, ...string[]]
): Promise<unknown> {
  const login = { username: ADMIN, password: readSecrets(server.paths)!.admin }
  const redis = await connect({ host: server.address, port, login, localAddress: server.address })
  try {
    return await redis.call(...words)
  } finally {
    redis.disconnect()
  }
}
