import type { Redis } from 'ioredis'
import { readSecrets } from '../src/config/secrets.ts'
import { connect } from '../src/store/connection.ts'
import { ADMIN, REDIS_PORT } from '../src/store/names.ts'
import type { LabServer } from './server.ts'

/** A connection to the Redis (or what else is on that port) of a server as its administrator; the caller disconnects it. */
export function asAdmin(server: LabServer, port = REDIS_PORT, commandMs?: number): Promise<Redis> {
  const login = { username: ADMIN, password: readSecrets(server.paths)!.admin }
  const { address } = server
  return connect({
    host: address,
    port,
    login,
    localAddress: address,
    ...(commandMs === undefined ? {} : { commandMs }),
  })
}
