import type { Secrets } from '../config/secrets.ts'
import type { Log } from '../platform/log.ts'
import { connect } from '../store/connection.ts'
import { ADMIN, MASTER_NAME, REDIS_PORT, SENTINEL_PORT } from '../store/names.ts'
import { NOWHERE } from './redis-conf.ts'
import type { ClusterState } from './state.ts'

/**
 * Sends servers away that were replaced and still run: one whose cts-auth is dead learns nothing of that. Its Sentinel
 * would go on naming itself to the members', and its Redis, a replica with everything, could be promoted. The Sentinel
 * forgets the cluster, and the Redis follows nobody from then on; what it holds stays. A server that has left by itself has
 * other log-ins and is not touched, and one that does not answer does no harm. Never rejects.
 */
export async function sendAway(
  strangers: readonly string[],
  state: ClusterState,
  secrets: Secrets,
  localAddress: string,
  log: Log,
): Promise<void> {
  // The log-in is shown to servers only that were members once.
  for (const host of strangers.filter((ip) => state.pin(ip) !== undefined)) {
    const order = async (port: number, ...words: [string, ...(string | number)[]]) => {
      try {
        const login = { username: ADMIN, password: secrets.admin }
        const redis = await connect({ host, port, login, localAddress, connectMs: 300, commandMs: 500 })
        try {
          await redis.call(...words)
          log.info(`sent ${host}:${port} away: it is no member, and nobody there has noticed`)
        } finally {
          redis.disconnect()
        }
      } catch {
        // Gone, or no Sentinel of this cluster any more.
      }
    }
    await order(SENTINEL_PORT, 'SENTINEL', 'REMOVE', MASTER_NAME)
    await order(REDIS_PORT, 'REPLICAOF', NOWHERE.ip, NOWHERE.port)
  }
}
