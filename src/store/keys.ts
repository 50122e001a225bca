/** How the keys are laid out; netq.lua writes it into the store. */
export const FORMAT = '1'

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
    stats: `${prefix}d:stats`,
    applied: `${prefix}d:applied`,
    cluster: `${prefix}c:cluster`,
    roles: `${prefix}c:roles`,
    events: `${prefix}c:events`,
    observed: `${prefix}c:observed`,
    cursors: `${prefix}c:cursors`,
    notifications: `${prefix}c:notifications`,
    settings: `${prefix}c:settings`,
    /** Keys of a backup that is being restored are behind this, by their names in the store. */
    staged: `${prefix}r:`,
  }
}
