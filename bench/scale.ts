import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { LabCluster } from '../lab/cluster.ts'
import type { LabServer } from '../lab/server.ts'
import { until } from '../lab/until.ts'
import type { ShowRequest } from '../src/api/types.ts'
import { ask } from '../src/platform/ask.ts'
import { type AgentProcess, withAgents } from './agents.ts'
import { ADDRESSES, adminOf, masterOf, withFormed } from './clusters.ts'
import { type Bench, type Findings, say } from './frame.ts'
import { pidOf, shares, sinceNow, usageOf } from './usage.ts'

/** As configured by default; an agent is rotten after three of them. */
const HEARTBEAT_MS = 30_000
const OBJECTS = 200
const PROCESSES = 4
/** How often each screen is asked for. */
const ASKED = 10

const SCREENS = ['agents', 'link', 'route', 'neighbor', 'mac'] as const

export const scale: Bench = {
  usage:
    '  scale [--agents N] [--minutes N]   1,000 agents with 200 objects each, a change a second each, for 5 minutes',
  async run({ agents: count = 1000, minutes = 5 }, findings) {
    await withFormed(async (cluster) => {
      const master = await masterOf(cluster)
      const replica = cluster.servers.find((server) => server !== master)!
      const { redis, keys } = await adminOf(master)
      const spec = {
        hosts: Array.from({ length: count }, (_, i) => `leaf${i + 1}`),
        folder: cluster.folder,
        servers: ADDRESSES,
        heartbeatMs: HEARTBEAT_MS,
        what: { kind: 'node' } as const,
      }
      try {
        const empty = await memoryOf(redis)
        const begun = Date.now()
        await withAgents(spec, PROCESSES, async (agents) => {
          await until('every object is stored', 180_000, () => sum(agents, 'acknowledged') >= count * OBJECTS)
          findings.fact(
            `${count} agents, the real code in ${agents.length} processes; all ${count * OBJECTS} objects stored after ${((Date.now() - begun) / 1000).toFixed(0)} s`,
          )
          await underLoad(agents, master, replica, minutes, findings)
          await screens(cluster, replica, count, findings)
        })
        const state = await bytesOf(redis, keys.state('*', '*'))
        const log = await bytesOf(redis, keys.log)
        const changes = await redis.xlen(keys.log)
        const perAgent = await bytesOf(redis, keys.agent('*'))
        findings.fact(
          `in Redis: ${(state / count / OBJECTS).toFixed(0)} bytes an object, ${(perAgent / count).toFixed(0)} an agent beside them, ` +
            `${(log / 2 ** 20).toFixed(0)} MB of log (${changes} batches, with the first full readings; kept for a day); ${((await memoryOf(redis)) - empty) >> 20} MB more than empty`,
        )
      } finally {
        redis.disconnect()
      }
    })
  },
}

const sum = (agents: readonly AgentProcess[], what: 'acknowledged' | 'made') =>
  agents.reduce((total, { told }) => total + told![what], 0)

async function underLoad(
  agents: readonly AgentProcess[],
  master: LabServer,
  replica: LabServer,
  minutes: number,
  findings: Findings,
): Promise<void> {
  const pids = new Map<string, number>()
  for (const [role, server] of [
    ['master', master],
    ['replica', replica],
  ] as const) {
    pids.set(`Redis of the ${role}`, pidOf(server, 'redis'))
    pids.set(`cts-auth of the ${role}`, pidOf(server, 'cts-auth'))
    pids.set(`netqd of the ${role}`, pidOf(server, 'netqd'))
  }
  const used = sinceNow(pids)
  const ofAgents = sinceNow(new Map(agents.map(({ pid }, i) => [`process ${i + 1}`, pid])))
  const [before, begun] = [sum(agents, 'acknowledged'), Date.now()]
  for (const end = begun + minutes * 60_000; Date.now() < end; ) {
    await delay(Math.min(10_000, end - Date.now()))
    const behind = sum(agents, 'made') - sum(agents, 'acknowledged')
    findings.add('changes not acknowledged yet', '', behind)
  }
  const rate = ((sum(agents, 'acknowledged') - before) * 1000) / (Date.now() - begun)
  findings.fact(
    `${rate.toFixed(0)} changes/s acknowledged over ${minutes} minutes, of one core: ${shares(used())}`,
  )
  findings.fact(`the agents: ${shares(ofAgents())}`)
  const resident = (pid: number) => (usageOf(pid).residentBytes / 1e6).toFixed(0)
  findings.fact(`resident: ${[...pids].map(([name, pid]) => `${name} ${resident(pid)} MB`).join(', ')}`)
}

/** Every screen of all hosts, and filtered to one host, by a replica's netqd: the whole answer, in text. */
async function screens(
  cluster: LabCluster,
  replica: LabServer,
  count: number,
  findings: Findings,
): Promise<void> {
  const socket = replica.paths.netqdSocket
  const json = { json: true } as const
  const { agents = [] } = await ask<{ agents?: { status: string }[] }>(
    socket,
    '/v1/show',
    requestOf('agents', json),
  )
  const fresh = agents.filter(({ status }) => status === 'Fresh').length
  if (fresh !== count) findings.wrong(`${fresh} of ${count} agents are fresh`)
  else findings.fact(`all ${count} agents are fresh`)
  const one = `leaf${Math.ceil(count / 2)}`
  for (const table of SCREENS) {
    for (let n = 0; n < ASKED; n++) {
      if (n < 3) findings.add(`show ${table}, all hosts`, 'ms', await took(socket, requestOf(table, json)))
      if (table === 'agents') continue
      findings.add(`show ${table}, one host`, 'ms', await took(socket, requestOf(table, json, one)))
    }
  }
  for (let n = 0; n < ASKED; n++) {
    const begun = performance.now()
    const { status, err } = await cluster.netq(replica.name, one, 'show', 'interfaces')
    if (status !== 0) throw new Error(err)
    findings.add('netq <host> show interfaces, the whole command', 'ms', performance.now() - begun)
  }
  findings.aim(
    `netq <host> show interfaces of ${count * OBJECTS} objects, median`,
    findings.at('netq <host> show interfaces, the whole command', 0.5),
    200,
    'ms',
  )
}

const requestOf = (table: string, args: ShowRequest['args'], hostname?: string): ShowRequest => ({
  table,
  show: 0,
  args,
  ...(hostname === undefined ? {} : { hostname }),
})

async function took(socket: string, request: ShowRequest): Promise<number> {
  const begun = performance.now()
  await ask(socket, '/v1/show', request, 60_000)
  return performance.now() - begun
}

async function memoryOf(redis: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1])
}

/** Bytes of the keys that match. All entries count: the first of the log, full readings, are larger than the rest. */
async function bytesOf(redis: Redis, pattern: string): Promise<number> {
  const keys = await redis.keys(pattern)
  say(`${keys.length} keys match ${pattern.replace(/^[^:]*:[^:]*:/, '')}`)
  const pipeline = redis.pipeline()
  for (const key of keys) pipeline.call('MEMORY', 'USAGE', key, 'SAMPLES', '0')
  return ((await pipeline.exec()) ?? []).reduce((total, [, bytes]) => total + Number(bytes ?? 0), 0)
}
