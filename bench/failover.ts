import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { LabCluster } from '../lab/cluster.ts'
import { History } from '../lab/history.ts'
import { type SyntheticAgent, syntheticAgent } from '../lab/synthetic.ts'
import { until } from '../lab/until.ts'
import { ADDRESSES, masterOf, settled, withFormed } from './clusters.ts'
import type { Asked, Bench, Findings } from './frame.ts'
import { quietFailovers } from './quiet.ts'
import { stock } from './stock.ts'

/** From when all agree to the next trial, in milliseconds. */
const FAILOVER_PAUSE_MS = 1500
const SWITCHOVER_PAUSE_MS = 200
/** Agents, and changes a second of each. */
const AGENTS = 5
const CHANGES = 60

/** A way to lose the master, or to change it: does it, and gives the longest time without an acknowledgement, in ms. */
interface Mode {
  readonly name: string
  readonly pauseMs: number
  /** The p99 that is wanted, in ms. */
  readonly aim: number
  trial(cluster: LabCluster, history: History, n: number, findings: Findings): Promise<number>
}

const server: Mode = {
  name: 'write gap, server lost',
  pauseMs: FAILOVER_PAUSE_MS,
  aim: 1500,
  async trial(cluster, history) {
    const master = await masterOf(cluster)
    const gap = await gapAfter(history, () => master.kill())
    await master.start()
    return gap
  },
}

const process_: Mode = {
  name: 'write gap, Redis killed',
  pauseMs: FAILOVER_PAUSE_MS,
  aim: 1000,
  async trial(cluster, history) {
    const master = await masterOf(cluster)
    return gapAfter(history, () => master.services.kill('redis'))
  },
}

const planned: Mode = {
  name: 'write gap, switchover',
  pauseMs: SWITCHOVER_PAUSE_MS,
  aim: 250,
  async trial(cluster, history, n, findings) {
    const [a, b, c] = [n % 3, (n + 1) % 3, (n + 2) % 3].map((i) => ADDRESSES[i]!)
    const begun = Date.now()
    const { status, out } = await cluster.netq('ts02', 'config', 'ts', 'add', 'server', b!, a!, c!)
    if (status !== 0) findings.wrong(out)
    return history.longestGap(begun, Date.now())
  },
}

const parts: Record<string, (asked: Asked, findings: Findings) => Promise<void>> = {
  server: (asked, findings) => underLoad(server, asked, findings),
  process: (asked, findings) => underLoad(process_, asked, findings),
  switchover: (asked, findings) => underLoad(planned, asked, findings),
  stock: (asked, findings) => stock('tuned', asked, findings),
  'stock-defaults': (asked, findings) => stock('defaults', asked, findings),
  'quiet-failovers': quietFailovers,
}

const measuring = (part: string, usage: string): Bench => ({
  usage,
  run: (asked, findings) => parts[part]!(asked, findings),
})

export const failover: Bench = {
  usage: `  failover [part...] [trials] [--minutes N]   the longest time without an acknowledged write, 50 trials each:
      server, process, switchover     everything of the master's server, or its Redis, killed; a planned change
      stock, stock-defaults           three stock Redis and Sentinel, with usual tuning and without, and ioredis' Sentinel mode
      quiet-failovers                 whether busy processors and short pauses cause a change of master`,
  async run(asked, findings) {
    const chosen = asked.parts.length > 0 ? asked.parts : ['server', 'process', 'switchover', 'stock']
    for (const part of chosen) {
      if (!parts[part]) throw new Error(`there is no part ${part}: ${Object.keys(parts).join(', ')}`)
      await parts[part](asked, findings)
    }
  },
}
export const switchover = measuring('switchover', '  switchover [trials]   failover switchover')
export const processLost = measuring('process', '  process [trials]      failover process')

/** Runs trials one after the other on one cluster under load, and at the end has every server checked for all of it. */
async function underLoad(mode: Mode, { trials = 50 }: Asked, findings: Findings): Promise<void> {
  await withFormed(async (cluster) => {
    const history = new History()
    const agents = Array.from({ length: AGENTS }, (_, i) => agentOf(cluster, history, `load${i + 1}`))
    try {
      for (const { agent } of agents) agent.start()
      await until('changes are acknowledged', 20_000, () => history.acknowledged() > 200)
      for (let n = 0; n < trials; n++) {
        findings.add(mode.name, 'ms', await mode.trial(cluster, history, n, findings))
        await settled(cluster)
        await delay(mode.pauseMs)
      }
      for (const { quiet } of agents) quiet()
      await until('everything is acknowledged', 60_000, () => history.complete())
      await delay(1000)
      const replayed = agents.reduce((sum, { agent }) => sum + agent.replayed, 0)
      for (const one of cluster.servers) {
        const { acknowledged, lost, duplicated, faults } = await history.check(one)
        const held = `${one.name} has of ${acknowledged} acknowledged changes: ${lost} lost, ${duplicated} doubled`
        if (lost + duplicated + faults.length > 0)
          findings.wrong(`${mode.name}: ${held} ${faults.join('; ')}`)
        else findings.fact(`${mode.name}: ${held}`)
      }
      findings.fact(`${mode.name}: ${replayed} batches sent again`)
      findings.aim(`${mode.name}, p99`, findings.at(mode.name, 0.99), mode.aim, 'ms')
    } finally {
      await Promise.all(agents.map(({ agent }) => agent.stop()))
    }
  })
}

/** The longest time without an acknowledgement that came of it. */
async function gapAfter(history: History, lose: () => Promise<void>): Promise<number> {
  const begun = Date.now()
  await lose()
  const dead = Date.now()
  await until('writes are taken', 60_000, () => history.acknowledgedSince(dead + 50))
  return history.longestGap(begun - 200, Date.now())
}

function agentOf(cluster: LabCluster, history: History, host: string): SyntheticAgent {
  const root = join(cluster.folder, 'agents', host)
  return syntheticAgent({ host, root, servers: ADDRESSES, changesPerSecond: CHANGES, history })
}
