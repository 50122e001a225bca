import { type ChildProcess, spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { LabCluster } from '../lab/cluster.ts'
import { History } from '../lab/history.ts'
import { syntheticAgent } from '../lab/synthetic.ts'
import { until } from '../lab/until.ts'
import type { ServiceName } from '../src/platform/services.ts'
import { ADDRESSES, changesOfMaster, settled, withFormed } from './clusters.ts'
import { type Asked, type Findings, say } from './frame.ts'
import { pidOf } from './usage.ts'

const PAUSES_SECONDS = 60
const PAUSE_MS = 2000
/** Between two pauses, in milliseconds: what was paused catches up. */
const REST_MS = 1000
const PAUSED: readonly ServiceName[] = ['sentinel', 'cts-auth', 'redis']

/**
 * Whether what is no loss causes a change of master: both processors busy for minutes, then pauses of one process after
 * the other, the master's own Redis too.
 */
export async function quietFailovers({ minutes = 10 }: Asked, findings: Findings): Promise<void> {
  await withFormed(async (cluster) => {
    const history = new History()
    const root = join(cluster.folder, 'agents', 'load1')
    const { agent } = syntheticAgent({
      host: 'load1',
      root,
      servers: ADDRESSES,
      changesPerSecond: 60,
      history,
    })
    agent.start()
    try {
      await until('changes are acknowledged', 20_000, () => history.acknowledged() > 100)
      const count = () => changesOfMaster(cluster.servers[0]!)
      const before = await count()
      const begun = Date.now()
      await withBusyProcessors(() => delay(minutes * 60_000))
      await settled(cluster)
      judge(`${minutes} minutes with all processors busy`, (await count()) - before, findings)
      findings.fact(
        `longest time without an acknowledged write meanwhile: ${history.longestGap(begun, Date.now())} ms`,
      )

      const calm = await count()
      const pauses = await pauseInTurn(cluster)
      await settled(cluster)
      judge(`${pauses} pauses of ${PAUSE_MS / 1000} s`, (await count()) - calm, findings)
    } finally {
      await agent.stop()
    }
  })
}

function judge(what: string, changes: number, findings: Findings): void {
  if (changes > 0) findings.wrong(`${what}: ${changes} changes of master`)
  else findings.fact(`${what}: 0 changes of master`)
}

/** A loop of nothing on every processor, at the priority of everything else. */
async function withBusyProcessors(run: () => Promise<void>): Promise<void> {
  const loops: ChildProcess[] = Array.from({ length: availableParallelism() }, () =>
    spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
  )
  try {
    await run()
  } finally {
    for (const loop of loops) loop.kill('SIGKILL')
  }
}

/** @returns how many pauses there were */
async function pauseInTurn(cluster: LabCluster): Promise<number> {
  const end = Date.now() + PAUSES_SECONDS * 1000
  let n = 0
  for (; Date.now() < end; n++) {
    const victims = cluster.servers.flatMap((server) => PAUSED.map((name) => ({ server, name })))
    const { server, name } = victims[n % victims.length]!
    say(`pausing ${name} on ${server.name}`)
    await pause(pidOf(server, name))
    await delay(REST_MS)
  }
  return n
}

async function pause(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  try {
    await delay(PAUSE_MS)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}
