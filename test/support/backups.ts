import { execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Answer } from '../../lab/command.ts'
import { History } from '../../lab/history.ts'
import type { LabServer } from '../../lab/server.ts'
import { type SyntheticAgent, syntheticAgent } from '../../lab/synthetic.ts'
import type { Batch } from '../../src/agent/spool.ts'
import { readSecrets } from '../../src/config/secrets.ts'
import { connect } from '../../src/store/connection.ts'
import { keysUnder } from '../../src/store/keys.ts'
import { ADMIN, REDIS_PORT } from '../../src/store/names.ts'
import { until } from './until.ts'

const dist = join(import.meta.dirname, '../../dist')

/** A program of a server as its timer or an operator runs it, e.g. `cts-backup --due`. */
export function runOn(server: LabServer, program: string, ...words: string[]): Promise<Answer> {
  return new Promise((resolve) => {
    const options = { env: environmentOf(server) }
    execFile(process.execPath, [join(dist, `${program}.js`), ...words], options, (error, out, err) => {
      resolve({ out, err, status: error ? ((error.code as unknown as number) ?? 1) : 0 })
    })
  })
}

/** The same, as a process that can be killed; its output is thrown away. */
export function spawnOn(server: LabServer, program: string, ...words: string[]) {
  return spawn(process.execPath, [join(dist, `${program}.js`), ...words], {
    env: environmentOf(server),
    stdio: 'ignore',
  })
}

function environmentOf({ paths, address }: LabServer): NodeJS.ProcessEnv {
  const { JOURNAL_STREAM: _, ...env } = process.env
  return { ...env, NETQ_ROOT: paths.root, NETQ_ADDRESS: address }
}

/** Agents that remember every batch they made and what was acknowledged, to be held against a store that forgot some. */
export class Remembering extends History {
  readonly batches = new Map<string, Batch[]>()
  readonly marks_ = new Map<string, number>()
  private readonly agents: SyntheticAgent[] = []

  override watch(host: string) {
    const inner = super.watch(host)
    const batches: Batch[] = []
    this.batches.set(host, batches)
    return {
      spooled: (batch: Batch) => {
        batches.push(batch)
        inner.spooled(batch)
      },
      acknowledged: (seq: number) => {
        this.marks_.set(host, seq)
        inner.acknowledged(seq)
      },
    }
  }

  start(folder: string, servers: readonly string[], agents = 3, name = 'load'): void {
    for (let i = 1; i <= agents; i++) {
      const host = `${name}${i}`
      const root = join(folder, 'agents', host)
      const one = syntheticAgent({ host, root, servers, changesPerSecond: 40, history: this })
      this.agents.push(one)
      one.agent.start()
    }
  }

  quiet(): void {
    for (const one of this.agents) one.quiet()
  }

  async stop(): Promise<void> {
    await Promise.all(this.agents.map(({ agent }) => agent.stop()))
  }

  /** The number of the last batch of each agent that a store holds. */
  async marksIn(server: LabServer): Promise<Map<string, number>> {
    return inStore(server, async (redis, prefix) => {
      const marks = new Map<string, number>()
      for (const host of this.batches.keys())
        marks.set(host, Number(await redis.hget(keysUnder(prefix).agent(host), 'mark')))
      return marks
    })
  }

  /** What is wrong in a store, a sentence each: every batch is in the log once or in a gap, and the state is the agents'. */
  async faultsIn(server: LabServer, whole: ReadonlyMap<string, number>): Promise<string[]> {
    return inStore(server, async (redis, prefix) => {
      const entries = (await redis.xrange(keysUnder(prefix).log, '-', '+')) as [string, string[]][]
      const faults: string[] = []
      for (const [host, batches] of this.batches) {
        const own = entries.map(([, fields]) => fields).filter((fields) => fields[1] === host)
        const lines = own.flatMap((fields) => fields[9]!.split('\n'))
        const gaps = lines.flatMap((line) => {
          const [, from, to] = /^G\t(\d+)\t(\d+)\t/.exec(line) ?? []
          return from === undefined ? [] : [[Number(from), Number(to)] as const]
        })
        const counts = new Map<string, number>()
        for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1)
        for (const [line, count] of counts)
          if (count > 1) faults.push(`${host}: ${count} times ${line.slice(0, 60)}`)
        const state = new Map<string, string>()
        for (const { seq, payload } of batches) {
          const gone = gaps.some(([from, to]) => seq >= from && seq <= to)
          if (gone && seq <= (whole.get(host) ?? 0))
            faults.push(`${host}: batch ${seq} of before the backup is missing`)
          for (const line of payload.split('\n')) {
            const [op, , key, row] = line.split('\t')
            if ((op !== 'P' && op !== 'S') || key === undefined || row === undefined) continue
            state.set(key, row)
            if (!gone && op === 'P' && !counts.has(line))
              faults.push(`${host}: batch ${seq} is not in the log`)
          }
        }
        const held = await redis.hgetall(keysUnder(prefix).state('link', host))
        for (const [key, row] of state)
          if (held[key]?.replace(/^\d+ \d+ /, '') !== row)
            faults.push(`${host}: ${key} is ${held[key]}, not ${row}`)
      }
      return faults
    })
  }

  /** Waits until each agent has what it made acknowledged. */
  async caughtUp(ms = 30_000): Promise<void> {
    await until('everything is acknowledged', ms, () =>
      [...this.batches].every(([host, made]) => (made.at(-1)?.seq ?? 0) <= (this.marks_.get(host) ?? 0)),
    )
  }
}

async function inStore<T>(
  server: LabServer,
  look: (redis: Awaited<ReturnType<typeof connect>>, prefix: string) => Promise<T>,
): Promise<T> {
  const { admin: password, prefix } = readSecrets(server.paths)!
  const login = { username: ADMIN, password }
  const redis = await connect({ host: server.address, port: REDIS_PORT, login, commandMs: 10_000 })
  try {
    return await look(redis, prefix)
  } finally {
    redis.disconnect()
  }
}
