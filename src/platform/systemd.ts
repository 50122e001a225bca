import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { type Process, processState } from './process.ts'
import type { ServiceName, Services } from './service.ts'

/** The unit of a service. Those of Redis and Sentinel are netq's own; Debian's are not used. */
function unitOf(name: ServiceName): string {
  return name === 'redis' || name === 'sentinel' ? `netq-${name}.service` : `${name}.service`
}

/** Whether this machine was booted with systemd, as sd_booted(3) tells it. */
export function hasSystemd(): boolean {
  return existsSync('/run/systemd/system')
}

/** How long a service may take until its process is there, in milliseconds; it may load its data for longer. */
const START_MS = 10_000

/**
 * Services as units of systemd. What they need of users, folders and limits is in the units; a stop kills after the
 * unit's own TimeoutStopSec, whatever grace is asked for.
 */
export function systemdServices(): Services {
  const known = new Map<ServiceName, Process>()

  async function running(name: ServiceName): Promise<Process | undefined> {
    // The control loop asks twice a second; systemctl (8 ms) is only run when the process is another one than before.
    const before = known.get(name)
    if (before && processState(before.pid)?.started === before.started) return before
    known.delete(name)
    if (!mayRun(unitOf(name))) return undefined
    const { pid } = await look(unitOf(name))
    const process = pid === 0 ? undefined : processState(pid)
    if (process) known.set(name, process)
    return process
  }

  async function start(name: ServiceName): Promise<void> {
    const unit = unitOf(name)
    // Without waiting for readiness: a Redis may load its data for minutes, and its cts-auth has to say so meanwhile.
    await systemctl('start', '--no-block', unit)
    for (const end = performance.now() + START_MS; !(await running(name)); ) {
      const { active, result } = await look(unit)
      if (active === 'failed' || performance.now() > end) {
        throw new Error(`${unit} could not be started (${result}); why is in: journalctl -u ${unit}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  return {
    start,
    running,
    stop: async (name) => {
      await systemctl('stop', unitOf(name))
      // What was killed before it was stopped counts as failed until it is started again: it is to be stopped.
      if ((await look(unitOf(name))).active === 'failed') await systemctl('reset-failed', unitOf(name))
    },
    restart: async (name) => {
      await systemctl('restart', unitOf(name))
    },
    kill: async (name) => {
      await systemctl('kill', '--signal=SIGKILL', unitOf(name))
    },
  }
}

interface Look {
  /** 0 as long as there is no process. */
  readonly pid: number
  readonly active: string
  /** What became of it the last time, e.g. `exit-code`. */
  readonly result: string
}

async function look(unit: string): Promise<Look> {
  const text = await systemctl('show', '--property=MainPID,ActiveState,Result', unit)
  const field = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? ''
  return { pid: Number(field('MainPID')), active: field('ActiveState'), result: field('Result') }
}

/** Rejects with a sentence that has what systemctl said. */
function systemctl(...argv: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('systemctl', argv, { env: { ...process.env, LC_ALL: 'C' } }, (error, out, err) => {
      const why = err.trim().replace(/\s*\n\s*/g, ' ') || error?.message
      if (error) reject(new Error(`systemctl ${argv.join(' ')}: ${why}`))
      else resolve(out)
    })
  })
}

/** Whether a unit has a control group, which a unit without processes has not; true where this cannot be told. */
function mayRun(unit: string): boolean {
  const groups = '/sys/fs/cgroup/system.slice'
  return !existsSync(groups) || existsSync(`${groups}/${unit}`)
}
