/** The ports of the page, the name under which the Sentinels watch the master, and the Redis users. */
export const REDIS_PORT = 6379
export const SENTINEL_PORT = 26379
export const MASTER_NAME = 'netq'
/** The network's own user is Redis' `default`, without a password. */
export const ADMIN = 'netq-admin'
export const READER = 'netq-reader'
export const REPLICA = 'netq-replica'
export const SENTINEL = 'netq-sentinel'
export const NOTIFIER = 'netq-notifier'
