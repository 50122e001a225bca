import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { endChild } from '../lab/child.ts'
import { longestGap } from '../lab/gap.ts'
import { until } from '../lab/until.ts'
import { inFolder } from './clusters.ts'
import type { Asked, Findings } from './frame.ts'
import { StockWriter } from './stock-writer.ts'

/** Sentinel's settings in milliseconds: what its documentation ships, and what is usually made of it. */
const SETTINGS = {
  defaults: { downAfter: 30_000, failoverTimeout: 180_000, trials: 5 },
  tuned: { downAfter: 1000, failoverTimeout: 5000, trials: 50 },
} as const

const STOCK_ADDRESSES = ['127.0.45.5', '127.0.45.6', '127.0.45.7']
const REDIS = 6379
const SENTINEL = 26379
const WRITERS = 5
/** A writer that has no acknowledgement for this long after a loss is held for dead. */
const DEAD_MS = 120_000

/**
 * What one gets without this project: three redis-servers and three Sentinels with their own defaults, and writers
 * through ioredis' Sentinel mode. The master's server is killed (Redis and Sentinel) and started anew, as often as asked.
 */
export async function stock(
  kind: keyof typeof SETTINGS,
  { trials = SETTINGS[kind].trials }: Asked,
  findings: Findings,
): Promise<void> {
  const name = `write gap, server lost, stock Sentinel (${kind})`
  await inFolder(async (folder) => {
    const servers = STOCK_ADDRESSES.map((address) => new StockServer(join(folder, address), address, kind))
    let writers: StockWriter[] = []
    try {
      for (const server of servers) server.start()
      await settled(servers)
      writers = Array.from(
        { length: WRITERS },
        (_, i) =>
          new StockWriter(
            `writer${i + 1}`,
            STOCK_ADDRESSES.map((host) => ({ host, port: SENTINEL })),
          ),
      )
      let dead = 0
      for (let n = 0; n < trials; n++) {
        await until('writes are taken', 30_000, () =>
          writers.every((writer) => writer.acknowledgedSince(Date.now() - 500)),
        )
        const master = await masterAmong(servers)
        const begun = Date.now()
        await master.kill()
        const lost = Date.now()
        const back = () => writers.filter((writer) => writer.acknowledgedSince(lost + 50))
        await until('writers go on', DEAD_MS, () => back().length === writers.length).catch(() => {})
        const alive = back()
        dead += writers.length - alive.length
        findings.add(name, 'ms', gapOf(writers, begun - 200))
        for (const writer of writers) if (!alive.includes(writer)) await writer.connectAnew()
        master.start()
        await settled(servers)
        await delay(2 * SETTINGS[kind].failoverTimeout > 60_000 ? 1000 : 2 * SETTINGS[kind].failoverTimeout)
      }
      await Promise.all(writers.map((writer) => writer.quiet()))
      await tell(name, await masterAmong(servers), writers, dead, findings)
    } finally {
      for (const writer of writers) writer.close()
      await Promise.all(servers.map((server) => server.kill()))
    }
  })
}

/** The longest time, in ms, in which none of them got an acknowledgement, since then (ms since the epoch). */
const gapOf = (writers: readonly StockWriter[], from: number) =>
  longestGap(
    writers.flatMap(({ times }) => times),
    from,
    Date.now(),
  )

async function tell(
  name: string,
  master: StockServer,
  writers: readonly StockWriter[],
  dead: number,
  findings: Findings,
): Promise<void> {
  const redis = master.client()
  try {
    const counts = new Map<string, number>()
    for (const [, [, id]] of await redis.xrange('log', '-', '+')) counts.set(id!, (counts.get(id!) ?? 0) + 1)
    const acknowledged = writers.flatMap((writer) => [...writer.acknowledged])
    const lost = acknowledged.filter((id) => !counts.has(id)).length
    const doubled = [...counts.values()].reduce((sum, count) => sum + count - 1, 0)
    findings.fact(
      `${name}: of ${acknowledged.length} acknowledged writes ${lost} lost, ${doubled} doubled; ${dead} writers never came back by themselves within ${DEAD_MS / 1000} s`,
    )
  } finally {
    redis.disconnect()
  }
}

/** One redis-server and one redis-sentinel, whose configuration says where they are and nothing that is not needed. */
class StockServer {
  readonly address: string
  private readonly folder: string
  private readonly processes: ChildProcess[] = []

  constructor(folder: string, address: string, kind: keyof typeof SETTINGS) {
    this.folder = folder
    this.address = address
    const [first] = STOCK_ADDRESSES
    const { downAfter, failoverTimeout } = SETTINGS[kind]
    mkdirSync(folder, { recursive: true })
    const follows = address === first ? '' : `replicaof ${first} ${REDIS}\n`
    const own = `bind ${address}\nprotected-mode no\ndir ${folder}\n`
    writeFileSync(
      join(folder, 'redis.conf'),
      `${own}bind-source-addr ${address}\nport ${REDIS}\nreplica-announce-ip ${address}\n${follows}`,
    )
    writeFileSync(
      join(folder, 'sentinel.conf'),
      `${own}port ${SENTINEL}\nsentinel announce-ip ${address}\nsentinel monitor mymaster ${first} ${REDIS} 2\n` +
        `sentinel down-after-milliseconds mymaster ${downAfter}\nsentinel failover-timeout mymaster ${failoverTimeout}\n`,
    )
  }

  /** Both with the configuration as they have written it themselves. */
  start(): void {
    this.run('redis.conf')
    this.run('sentinel.conf', '--sentinel')
  }

  async kill(): Promise<void> {
    await Promise.all(this.processes.splice(0).map((child) => endChild(child)))
  }

  client(): Redis {
    const redis = new Redis({ host: this.address, port: REDIS, retryStrategy: null, lazyConnect: true })
    redis.on('error', () => {})
    return redis
  }

  /** `master`, `slave online` ...: what it says of itself; '' if it says nothing. */
  async role(): Promise<string> {
    const redis = this.client()
    try {
      const info = await redis.info('replication')
      const field = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? ''
      return `${field('role')} ${field('role') === 'master' ? field('connected_slaves') : field('master_link_status')}`
    } catch {
      return ''
    } finally {
      redis.disconnect()
    }
  }

  private run(config: string, ...argv: string[]): void {
    this.processes.push(spawn('redis-server', [join(this.folder, config), ...argv], { stdio: 'ignore' }))
  }
}

/** One master with two replicas that are linked. */
async function settled(servers: readonly StockServer[]): Promise<void> {
  await until('the stock servers are one master and two replicas', 120_000, async () => {
    const roles = await Promise.all(servers.map((server) => server.role()))
    return roles.sort().join() === 'master 2,slave up,slave up'
  })
}

async function masterAmong(servers: readonly StockServer[]): Promise<StockServer> {
  for (const server of servers) if ((await server.role()).startsWith('master')) return server
  throw new Error('there is no master among the stock servers')
}
