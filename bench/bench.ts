import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { LabCluster } from '../lab/cluster.ts'
import { History } from '../lab/history.ts'
import { type SyntheticAgent, syntheticAgent } from '../lab/synthetic.ts'
import { until } from '../lab/until.ts'
import { sentenceOf } from '../src/platform/log.ts'

const program = join(dirname(import.meta.dirname), 'dist/netq.cjs')
const ADDRESSES = ['127.0.44.5', '127.0.44.6', '127.0.44.7']
const usage = `Usage: npm run bench -- <what> [trials]
  formation    three fresh servers until all agree, in all six orders of running the command
  switchover   the write gap at five agents when the order is changed, under 300 changes a second
  failover     the same when everything of the master's server is killed
  process      the same when the master's Redis alone is killed
`

/** What one trial measured, in ms, and what was wrong, '' for nothing. */
interface Trial {
  readonly ms: number
  readonly wrong: string
}

async function main([what, count]: readonly string[]): Promise<number> {
  const benches: Record<string, (trials: number) => Promise<Trial[]>> = {
    formation,
    switchover,
    failover,
    process: processLost,
  }
  const bench = benches[what ?? '']
  const trials = Number(count ?? 20)
  if (!bench || !Number.isSafeInteger(trials) || trials < 1) {
    process.stderr.write(usage)
    return 2
  }
  const results = await bench(trials)
  const times = results.map(({ ms }) => ms).sort((a, b) => a - b)
  const at = (share: number) => times[Math.min(times.length - 1, Math.ceil(share * times.length) - 1)]
  const wrong = results.filter((trial) => trial.wrong !== '')
  for (const trial of wrong) process.stdout.write(`WRONG ${trial.wrong}\n`)
  process.stdout.write(
    `${what}: ${times.length} trials, ms: min ${times[0]}, median ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, max ${times.at(-1)}; wrong ${wrong.length}\n`,
  )
  return wrong.length === 0 ? 0 : 1
}

async function formation(trials: number): Promise<Trial[]> {
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ]
  const results: Trial[] = []
  for (let n = 0; n < trials; n++) {
    await withCluster(async (cluster) => {
      await cluster.start()
      const answers = async () =>
        Promise.all(cluster.servers.map(({ name }) => cluster.netq(name, 'config', 'ts', 'show', 'server')))
      await until('all answer', 20_000, async () =>
        (await answers()).every(({ status, out }) => status === 0 && / ok /.test(out)),
      )
      const begun = Date.now()
      const names = orders[n % orders.length]!.map((i) => cluster.servers[i]!.name)
      const add = (name: string) => cluster.netq(name, 'config', 'ts', 'add', 'server', ...ADDRESSES)
      // Every second round of the six orders starts the three commands at once.
      if (Math.floor(n / orders.length) % 2 === 1) await Promise.all(names.map(add))
      else for (const name of names) await add(name)
      await until('all agree', 30_000, async () =>
        (await Promise.all(cluster.servers.map((s) => cluster.allOk(s)))).every(Boolean),
      )
      const ms = Date.now() - begun
      const { out } = await cluster.netq('ts01', 'config', 'ts', 'show', 'server')
      const right = new RegExp(`\\n${ADDRESSES[0]} +master .* ok `).test(out)
      results.push({ ms, wrong: right ? '' : `${names}\n${out}` })
    })
  }
  return results
}

async function switchover(trials: number): Promise<Trial[]> {
  return underLoad(trials, 200, async (cluster, history, n) => {
    const [a, b, c] = [n % 3, (n + 1) % 3, (n + 2) % 3].map((i) => ADDRESSES[i]!)
    const begun = Date.now()
    const { status, out } = await cluster.netq('ts02', 'config', 'ts', 'add', 'server', b!, a!, c!)
    return { ms: history.longestGap(begun, Date.now()), wrong: status === 0 ? '' : out }
  })
}

async function failover(trials: number): Promise<Trial[]> {
  return underLoad(trials, FAILOVER_PAUSE_MS, async (cluster, history) => {
    const master = (await cluster.master())!
    const begun = Date.now()
    await master.kill()
    const dead = Date.now()
    await until('writes are taken', 60_000, () => history.acknowledgedSince(dead + 50))
    const ms = history.longestGap(begun - 200, Date.now())
    await master.start()
    return { ms, wrong: '' }
  })
}

async function processLost(trials: number): Promise<Trial[]> {
  return underLoad(trials, FAILOVER_PAUSE_MS, async (cluster, history) => {
    const master = (await cluster.master())!
    const begun = Date.now()
    await master.services.kill('redis')
    const dead = Date.now()
    await until('writes are taken', 60_000, () => history.acknowledgedSince(dead + 50))
    return { ms: history.longestGap(begun - 200, Date.now()), wrong: '' }
  })
}

/** Runs trials one after the other on one cluster under load, and at the end has every server checked for all of it. */
async function underLoad(
  trials: number,
  pauseMs: number,
  trial: (cluster: LabCluster, history: History, n: number) => Promise<Trial>,
): Promise<Trial[]> {
  const results: Trial[] = []
  await withCluster(async (cluster) => {
    await cluster.start()
    for (const { name } of cluster.servers) {
      await until(`add server on ${name}`, 20_000, async () => {
        return (await cluster.netq(name, 'config', 'ts', 'add', 'server', ...ADDRESSES)).status === 0
      })
    }
    const settled = () =>
      until('all agree', 60_000, async () =>
        (await Promise.all(cluster.servers.map((s) => cluster.allOk(s)))).every(Boolean),
      )
    await settled()
    const history = new History()
    const agents = Array.from({ length: 5 }, (_, i) => agentOf(cluster, history, `load${i + 1}`))
    try {
      for (const { agent } of agents) agent.start()
      await until('changes are acknowledged', 20_000, () => history.acknowledged() > 200)
      for (let n = 0; n < trials; n++) {
        const result = await trial(cluster, history, n)
        process.stdout.write(`  ${n + 1}: ${result.ms} ms ${result.wrong}\n`)
        results.push(result)
        await settled()
        await new Promise((resolve) => setTimeout(resolve, pauseMs))
      }
      for (const { quiet } of agents) quiet()
      await until('everything is acknowledged', 60_000, () => history.complete())
      await new Promise((resolve) => setTimeout(resolve, 1000))
      for (const server of cluster.servers) {
        const { acknowledged, lost, duplicated, faults } = await history.check(server)
        process.stdout.write(
          `  ${server.name}: ${acknowledged} acknowledged, ${lost} lost, ${duplicated} duplicated\n`,
        )
        if (lost + duplicated + faults.length > 0)
          results.push({ ms: 0, wrong: `${server.name}: ${lost} lost, ${duplicated} doubled, ${faults}` })
      }
    } finally {
      await Promise.all(agents.map(({ agent }) => agent.stop()))
    }
  })
  return results
}

/** After a vote the Sentinels begin no other failover for twice their time-out: a trial must not measure that. */
const FAILOVER_PAUSE_MS = 8500

function agentOf(cluster: LabCluster, history: History, host: string): SyntheticAgent {
  const root = join(cluster.folder, 'agents', host)
  mkdirSync(root, { recursive: true })
  return syntheticAgent({ host, root, servers: ADDRESSES, changesPerSecond: 60, history })
}

async function withCluster(run: (cluster: LabCluster) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const cluster = new LabCluster(folder, ADDRESSES, program)
  const stop = () => cluster.stop().then(() => process.exit(130))
  process.once('SIGINT', stop)
  try {
    await run(cluster)
  } finally {
    process.removeListener('SIGINT', stop)
    await cluster.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

main(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error: unknown) => {
    process.stderr.write(`bench: ${sentenceOf(error)}\n`)
    process.exit(1)
  },
)
