/**
 * The names of the keys that readers use; netq.lua, which is the only writer, has the whole list and what is in them.
 * @param prefix the cluster's secret key prefix (see cluster/secrets.ts)
 */
export function keysUnder(prefix: string) {
  return {
    hosts: `${prefix}d:hosts`,
    agent: (host: string) => `${prefix}d:agent:${host}`,
    state: (table: string, host: string) => `${prefix}d:s:${table}:${host}`,
    log: `${prefix}d:log`,
    applied: `${prefix}d:applied`,
    cluster: `${prefix}c:cluster`,
    roles: `${prefix}c:roles`,
    events: `${prefix}c:events`,
  }
}
