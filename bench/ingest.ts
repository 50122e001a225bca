import { execFile } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Redis } from 'ioredis'
import { entriesOf } from '../lab/log.ts'
import { REDIS_PORT } from '../src/store/names.ts'
import { type AgentProcess, finish, withAgents } from './agents.ts'
import { ADDRESSES, adminOf, masterOf, withFormed } from './clusters.ts'
import { type Bench, say } from './frame.ts'
import { pidOf, shares, sinceNow } from './usage.ts'

/** Seconds that a trial is measured, after as many that are not. */
const SECONDS = 5
/** Changes a batch: each by itself, a burst, and a table that changes as a whole. */
const SIZES: Readonly<Record<string, number>> = { single: 1, burst: 50, table: 500 }
/** How deep redis-benchmark pipelines: as many batches as an agent sends at once. */
const DEPTH = 64

export const ingest: Bench = {
  usage:
    '  ingest [single|burst|table] [trials] [--agents N]   changes a second that agents get acknowledged, in turns with raw XADD',
  async run({ parts, trials = 5, agents: count = 4 }, findings) {
    await withFormed(async (cluster) => {
      const master = await masterOf(cluster)
      const { redis, keys } = await adminOf(master)
      const replicas = cluster.servers.filter((server) => server !== master)
      const servers = new Map([
        ['master', pidOf(master, 'redis')],
        ['replicas', pidOf(replicas[0]!, 'redis')],
      ])
      const hosts = Array.from({ length: count }, (_, i) => `flood${i + 1}`)
      try {
        await redis.call('ACL', 'SETUSER', 'bench', 'on', 'nopass', '~bench:*', '-@all', '+xadd')
        for (const size of sizesOf(parts)) {
          const name = `changes/s, ${size} a batch`
          let [bytes, replayed] = [0, 0]
          for (let n = 0; n < trials; n++) {
            const folder = `${cluster.folder}/${size}-${n}`
            const spec = {
              hosts: hosts.map((host) => `${host}-${size}-${n}`),
              folder,
              servers: ADDRESSES,
              heartbeatMs: 30_000,
              what: { kind: 'flood', changesABatch: size } as const,
            }
            const measured = await withAgents(spec, count, async (agents) => {
              const rate = await rateOf(agents, servers)
              const made = await finish(agents)
              replayed += agents.reduce((sum, { told }) => sum + told!.replayed, 0)
              const logged = await linesInLog(redis, keys.log, new Set(spec.hosts))
              if (logged !== made)
                findings.wrong(`${made} changes were acknowledged, and the log has ${logged}`)
              return rate
            })
            bytes = measured.bytesAChange
            // In the background: to free a million entries at once holds Redis up for so long that a Sentinel acts.
            await redis.unlink(keys.log)
            const raw = await rawRate(master.address, count, 'x'.repeat(Math.round(bytes)), measured.rate)
            await redis.unlink('bench:raw')
            findings.pair(name, Math.round(measured.rate), `raw XADD/s beside ${size} a batch`, raw, '1/s')
          }
          findings.fact(
            `${size} a batch: ${bytes.toFixed(0)} bytes a change, one XADD each in the raw run; ${replayed} batches sent again`,
          )
          const ratio = findings.at(`${name} / raw XADD/s beside ${size} a batch`, 0.5)
          findings.aim(`ingest / raw, ${size} a batch, median`, ratio, 0.5, 'x', 'more')
        }
      } finally {
        redis.disconnect()
      }
    })
  },
}

function sizesOf(parts: readonly string[]): number[] {
  const unknown = parts.find((part) => SIZES[part] === undefined)
  if (unknown !== undefined) throw new Error(`there is no part ${unknown}: ${Object.keys(SIZES).join(', ')}`)
  return parts.length === 0 ? Object.values(SIZES) : parts.map((part) => SIZES[part]!)
}

/** Changes acknowledged a second, and how many bytes each was in its batch. */
async function rateOf(agents: readonly AgentProcess[], servers: ReadonlyMap<string, number>) {
  await delay(SECONDS * 1000)
  const before = agents.map(({ told }) => told!)
  const used = sinceNow(
    new Map([...servers, ...agents.map(({ pid }, i) => [`agent ${i + 1}`, pid] as const)]),
  )
  await delay(SECONDS * 1000)
  const usage = used()
  let [rate, changes, bytes] = [0, 0, 0]
  for (const [i, { told }] of agents.entries()) {
    const from = before[i]!
    const seconds = (told!.time - from.time) / 1000
    rate += (told!.acknowledged - from.acknowledged) / seconds
    changes += told!.acknowledged - from.acknowledged
    bytes += told!.acknowledgedBytes - from.acknowledgedBytes
  }
  say(`processors: ${shares(usage)}`)
  return { rate, bytesAChange: bytes / changes }
}

/** XADDs a second that redis-benchmark gets, with the same number of connections, for about as long as a trial. */
async function rawRate(host: string, clients: number, value: string, guess: number): Promise<number> {
  const requests = Math.max(100_000, Math.round(guess * SECONDS))
  const options = ['-h', host, '-p', String(REDIS_PORT), '--user', 'bench', '-a', 'none', '--csv']
  const load = ['-c', String(clients), '-P', String(DEPTH), '-n', String(requests)]
  const { stdout } = await promisify(execFile)('redis-benchmark', [
    ...[...options, ...load, 'XADD', 'bench:raw', '*', 'd', value],
  ])
  return Number(/","([\d.]+)"/.exec(stdout.split('\n').find((line) => line.startsWith('"XADD')) ?? '')?.[1])
}

/** How many changes the log has of these hosts; it also holds what the servers saw themselves. */
async function linesInLog(redis: Redis, log: string, hosts: ReadonlySet<string>): Promise<number> {
  let lines = 0
  for await (const { host, text } of entriesOf(redis, log))
    if (hosts.has(host)) lines += text.split('\n').length
  return lines
}
