import { hostname } from 'node:os'
import { join } from 'node:path'
import type { LabCluster } from './cluster.ts'
import { formCluster } from './form.ts'
import { History, type Verdict } from './history.ts'
import type { Progress } from './progress.ts'
import { syntheticAgent } from './synthetic.ts'
import { until } from './until.ts'

const AGENTS = 5
const CHANGES_PER_SECOND = 60
/** How long the load runs before the master is killed, and after writes are acknowledged again; milliseconds. */
const BEFORE_MS = 4000
const AFTER_MS = 3000

/**
 * The main job without a person: five agents push while the master's whole server is killed and comes back, and then
 * every server has to hold every acknowledged change exactly once and in order.
 * @returns the exit status: 0 if nothing was lost and nothing doubled
 */
export async function check(cluster: LabCluster, progress: Progress): Promise<number> {
  await progress.step('three telemetry servers start', () => cluster.start())
  await formCluster(cluster, progress)
  await progress.step('an agent collects the state of this host', async () => {
    await cluster.netq(undefined, 'config', 'add', 'server', ...cluster.addresses)
    await cluster.netq(undefined, 'config', 'restart', 'agent')
    await until('this host is shown', 20_000, async () => {
      const { out } = await cluster.netq('ts01', hostname(), 'show', 'interfaces', 'count')
      return /Count of matching link records: [1-9]/.test(out)
    })
  })
  const history = new History()
  const agents = Array.from({ length: AGENTS }, (_, i) => {
    const host = `load${i + 1}`
    const root = join(cluster.folder, 'agents', host)
    return syntheticAgent({
      host,
      root,
      servers: cluster.addresses,
      changesPerSecond: CHANGES_PER_SECOND,
      history,
    })
  })
  try {
    for (const { agent } of agents) agent.start()
    await progress.step(`${AGENTS} agents push ${AGENTS * CHANGES_PER_SECOND} changes a second`, async () => {
      await until('the first change is acknowledged', 10_000, () => history.acknowledged() > 0)
      await new Promise((resolve) => setTimeout(resolve, BEFORE_MS))
    })
    const master = await cluster.master()
    if (!master) throw new Error('there is no master to kill')
    const killed = Date.now()
    const gap = await progress.step(
      `the master's server, ${master.name}, is killed; writes are acknowledged again`,
      async () => {
        await master.kill()
        const dead = Date.now()
        await until('a change is acknowledged', 30_000, () => history.acknowledgedSince(dead))
        await new Promise((resolve) => setTimeout(resolve, AFTER_MS))
        return history.longestGap(killed - 500, Date.now())
      },
    )
    await progress.step(`${master.name} is started again, and has caught up`, async () => {
      await master.start()
      await until('all three servers are ok', 30_000, () => cluster.allOk(master))
    })
    for (const { quiet } of agents) quiet()
    const verdict = await progress.step(
      'all three servers hold every acknowledged change once, in order',
      async () => {
        await until('everything is acknowledged', 10_000, () => history.complete())
        await until('all three servers hold the same', 10_000, async () => {
          const verdicts = await Promise.all(cluster.servers.map((server) => history.check(server)))
          return verdicts.every((one) => one.lost === 0)
        }).catch(() => {})
        return worst(await Promise.all(cluster.servers.map((server) => history.check(server))))
      },
    )
    const replayed = agents.reduce((sum, { agent }) => sum + agent.replayed, 0)
    const { acknowledged, lost, duplicated, faults } = verdict
    for (const fault of faults) process.stdout.write(`  FAULT ${fault}\n`)
    process.stdout.write(
      `acknowledged ${acknowledged}, lost ${lost}, duplicated ${duplicated}, replayed ${replayed}, write gap ${gap} ms (${progress.elapsed()})\n`,
    )
    return acknowledged > 0 && lost === 0 && duplicated === 0 && faults.length === 0 ? 0 : 1
  } finally {
    await Promise.all(agents.map(({ agent }) => agent.stop()))
  }
}

/** The servers' verdicts as one: the worst of each figure counts. */
function worst(verdicts: readonly Verdict[]): Verdict {
  return {
    acknowledged: Math.min(...verdicts.map((one) => one.acknowledged)),
    lost: Math.max(...verdicts.map((one) => one.lost)),
    duplicated: Math.max(...verdicts.map((one) => one.duplicated)),
    faults: [...new Set(verdicts.flatMap((one) => one.faults))],
  }
}
