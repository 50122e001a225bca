import { join } from 'node:path'

/** Where everything of one server or node is: the page's paths, below its root folder ('/' in production). */
export function pathsUnder(root: string) {
  const at = (...parts: string[]) => join(root, ...parts)
  return {
    root,
    netqConfig: at('etc/netq/netq.yml'),
    netqConfigFolder: at('etc/netq/config.d'),
    /** The configuration that this server was given and what it has learned: kept by cts-auth, fsynced. */
    clusterState: at('etc/cts/cluster.json'),
    identityKey: at('etc/cts/identity.key'),
    identityCertificate: at('etc/cts/identity.crt'),
    secrets: at('etc/cts/secrets.json'),
    redisConfig: at('etc/cts/run/redis/redis_6379.conf'),
    sentinelConfig: at('etc/cts/run/redis/snt1.conf'),
    redisData: at('var/lib/cts/redis'),
    archive: at('var/lib/cts/archive'),
    /** The newest backup, the earlier ones, what cts-backup says, and where a backup is loaded to see whether it is one. */
    backup: at('var/log/backup'),
    earlierBackups: at('var/backup'),
    backupLog: at('var/log/cts/cts-backup.log'),
    scratch: at('var/lib/cts/scratch'),
    /** Where cts-support puts its archives. */
    support: at('var/support'),
    ctsLogs: at('var/log/cts'),
    redisLog: at('var/log/cts/cts-redis.log'),
    sentinelLog: at('var/log/cts/cts-sentinel.log'),
    ctsAuthLog: at('var/log/cts/cts-auth.log'),
    netqdLog: at('var/log/netqd.log'),
    /** The page's log of the notifier: a line a notification. What the process says of itself is in the other. */
    notifierLog: at('var/log/netq-notifier.log'),
    notifierOwnLog: at('var/log/cts/netq-notifier.log'),
    /** What netq.yml and the store last agreed on, and a stop of writes that was told. */
    notifierAgreed: at('var/lib/cts/notifier/agreed'),
    notifierAlarm: at('var/lib/cts/notifier/alarm.json'),
    influxConfig: at('etc/netq/influxdb.conf'),
    influxData: at('var/lib/cts/influxdb'),
    influxLog: at('var/log/cts/netq-influxdb.log'),
    statsLog: at('var/log/cts/netq-stats-pushd.log'),
    agentLog: at('var/log/netq-agent.log'),
    spool: at('var/lib/netq/agent/spool'),
    agentState: at('var/lib/netq/agent/agent.json'),
    /** What the running agent says of itself, for `netq config show server`. */
    agentStatus: at('run/netq/netq-agent.json'),
    /** What the running notifier says of itself, for `netq config ts show notifier`. */
    notifierStatus: at('run/netq/netq-notifier.json'),
    netqdSocket: at('run/netq/netqd.sock'),
    ctsAuthSocket: at('run/cts/cts-auth.sock'),
    /** The certificates of the servers that this node's netqd asks, as it saw them first. */
    knownServers: at('var/lib/netq/netqd/known_servers'),
    /** Who is in the group that may administer, and the service by which users log in. */
    groups: at('etc/group'),
    pam: at('etc/pam.d'),
    /** One file a service that runs as a child process: its pid and the start time of that pid. */
    pids: at('run/netq/pids'),
  }
}

export type Paths = ReturnType<typeof pathsUnder>
