import type { Reports } from './picture.ts'
import type { Decision, View } from './types.ts'

/**
 * What runs here with the settings of another version is started anew with those of this one, as is a Sentinel that was started
 * by somebody else. Only while all servers are there and in order, and one server after the other: an upgrade of the
 * packages costs no failover and no write. A master's Redis goes on until another is the master.
 */
export function renew(
  { mine, self }: View,
  members: Reports,
  order: readonly string[],
): Decision | undefined {
  if (mine.sentinel?.slow) {
    return {
      action: { do: 'hasten-sentinel' },
      why: 'the Sentinel here was started by somebody else: it is to read the roles as often as the others',
    }
  }
  const due = (ip: string) => {
    const report = members.get(ip)
    if (report?.outdated?.includes('sentinel')) return 'sentinel'
    return report?.outdated?.includes('redis') && report.redis?.role === 'replica' ? 'redis' : undefined
  }
  const what = due(self)
  if (what === undefined || order.find((ip) => due(ip) !== undefined) !== self) return undefined
  if (!order.every((ip) => isInOrder(members, order, ip))) return undefined
  const why = `${what === 'redis' ? 'Redis' : 'the Sentinel'} here has the settings of another version: it starts anew`
  return { action: { do: what === 'redis' ? 'stop-redis' : 'stop-sentinel' }, why }
}

function isInOrder(members: Reports, order: readonly string[], ip: string): boolean {
  const { redis, sentinel } = members.get(ip) ?? {}
  if (!redis || redis.loading || redis.staged || !sentinel?.quorum) return false
  if (sentinel.failover || sentinel.masterDown || sentinel.tilt) return false
  return redis.role === 'master' ? redis.replicas.length === order.length - 1 : redis.linkUp
}
