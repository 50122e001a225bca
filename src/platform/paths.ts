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
    ctsLogs: at('var/log/cts'),
    redisLog: at('var/log/cts/cts-redis.log'),
    sentinelLog: at('var/log/cts/cts-sentinel.log'),
    ctsAuthLog: at('var/log/cts/cts-auth.log'),
    netqdLog: at('var/log/netqd.log'),
    agentLog: at('var/log/netq-agent.log'),
    spool: at('var/lib/netq/agent/spool'),
    agentState: at('var/lib/netq/agent/agent.json'),
    /** What the running agent says of itself, for `netq config show server`. */
    agentStatus: at('run/netq/netq-agent.json'),
    netqdSocket: at('run/netq/netqd.sock'),
    ctsAuthSocket: at('run/cts/cts-auth.sock'),
    /** One file a service that runs as a child process: its pid and the start time of that pid. */
    pids: at('run/netq/pids'),
  }
}

export type Paths = ReturnType<typeof pathsUnder>
