import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { endChild } from '../lab/child.ts'
import { until } from '../lab/until.ts'
import type { Spec, Told } from './agents-child.ts'

/** A process with agents over made-up nodes. */
export class AgentProcess {
  private readonly child: ChildProcess
  /** What it told last; undefined before the first. */
  told: Told | undefined

  constructor(spec: Spec) {
    const argv = [join(import.meta.dirname, 'bench.js'), 'made-up-nodes', JSON.stringify(spec)]
    this.child = spawn(process.execPath, argv, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.child.on('message', (told: Told) => {
      this.told = told
    })
  }

  get pid(): number {
    return this.child.pid!
  }

  /** No more changes are made. */
  quiet(): void {
    this.child.send('quiet')
  }

  async stop(): Promise<void> {
    await endChild(this.child, () => this.child.kill('SIGTERM'))
  }
}

/** Agents spread over processes, for as long as `run` takes. */
export async function withAgents<T>(
  spec: Spec,
  processes: number,
  run: (agents: AgentProcess[]) => Promise<T>,
): Promise<T> {
  const agents = Array.from(
    { length: Math.min(processes, spec.hosts.length) },
    (_, n) => new AgentProcess({ ...spec, hosts: spec.hosts.filter((_, i) => i % processes === n) }),
  )
  try {
    await until('the agents have begun', 60_000, () =>
      agents.every(({ told }) => (told?.acknowledged ?? 0) > 0),
    )
    return await run(agents)
  } finally {
    await Promise.all(agents.map((agent) => agent.stop()))
  }
}

/** Ends the changes, and waits until all that was made is acknowledged. @returns how many changes that were */
export async function finish(agents: readonly AgentProcess[]): Promise<number> {
  for (const agent of agents) agent.quiet()
  const quietAt = Date.now()
  await until('everything is acknowledged', 60_000, () =>
    agents.every(({ told }) => told!.time > quietAt + 200 && told!.acknowledged === told!.made),
  )
  return agents.reduce((sum, { told }) => sum + told!.acknowledged, 0)
}
