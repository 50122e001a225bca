import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { readIfThere } from './files.ts'
import type { Paths } from './paths.ts'
import { type Process, parseStat, processState } from './process.ts'
import type { ServiceName, Services } from './service.ts'
import { hasSystemd, systemdServices } from './systemd.ts'

export type { ServiceName, Services } from './service.ts'

/**
 * Takes the umask $1, keeps its line of /proc in the file $0, and becomes the command that follows. It ends if the process that
 * is in the file lives: somebody else has just started the same, and overwritten it would never be found again.
 */
const BECOME = `
began() { set -- \${1##*) }; echo "\${20}"; }
umask "$1" && shift && read -r stat < /proc/$$/stat || exit
if read -r known 2> /dev/null < "$0" && read -r now 2> /dev/null < "/proc/\${known%% *}/stat"; then
  case $now in
    *") Z "* | *") X "*) ;;
    *) [ "$(began "$known")" != "$(began "$now")" ] || exit ;;
  esac
fi
echo "$stat" > "$0" && exec "$@"`

const here = import.meta.dirname
/** Where the bundled programs are: this folder once bundled, the checkout's `dist` when run from source. */
export const programs = basename(here) === 'platform' ? join(here, '../../dist') : here

/**
 * Services as detached child processes, known by a file each below `run/`: they outlive whoever started them, as they
 * would under systemd, and whoever comes next finds them again. Nothing here restarts what dies; cts-auth's loop does.
 * @param inside what enters the place in which they run and becomes the command behind it, e.g. `nsenter ...`
 */
export function childServices(
  paths: Paths,
  environment: NodeJS.ProcessEnv = process.env,
  inside: readonly string[] = [],
): Services {
  const program = (name: string) => [process.execPath, join(programs, `${name}.js`)]
  const commands: Record<ServiceName, { argv: string[]; log: string }> = {
    redis: { argv: ['redis-server', paths.redisConfig], log: paths.redisLog },
    sentinel: { argv: ['redis-server', paths.sentinelConfig, '--sentinel'], log: paths.sentinelLog },
    'cts-auth': { argv: program('cts-auth'), log: paths.ctsAuthLog },
    netqd: { argv: program('netqd'), log: paths.netqdLog },
    'netq-notifier': { argv: program('netq-notifier'), log: paths.notifierOwnLog },
    'netq-influxdb': { argv: ['influxd', 'run', '-config', paths.influxConfig], log: paths.influxLog },
    'netq-stats-pushd': { argv: program('netq-stats-pushd'), log: paths.statsLog },
    'netq-agent': { argv: program('netq-agent'), log: paths.agentLog },
  }
  const file = (name: ServiceName) => join(paths.pids, name)

  async function running(name: ServiceName): Promise<Process | undefined> {
    const known = parseStat(readIfThere(file(name)))
    return known && processState(known.pid)?.started === known.started ? known : undefined
  }

  async function end(name: ServiceName, signal: 'SIGTERM' | 'SIGKILL', graceMs: number): Promise<void> {
    const known = await running(name)
    if (!known) return
    const deadline = performance.now() + graceMs
    for (let next = signal; ; ) {
      signalProcess(known, next)
      while (performance.now() < deadline || next === 'SIGKILL') {
        if (processState(known.pid)?.started !== known.started) {
          rmSync(file(name), { force: true })
          return
        }
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      next = 'SIGKILL'
    }
  }

  async function start(name: ServiceName): Promise<void> {
    if (await running(name)) return
    const { argv, log } = commands[name]
    mkdirSync(dirname(log), { recursive: true })
    const out = openSync(log, 'a', 0o640)
    try {
      // The process writes down itself who it is before it becomes the program: nobody can die in between.
      mkdirSync(paths.pids, { recursive: true })
      // What Redis and Sentinel write, and write anew by themselves, holds the cluster's secrets.
      const umask = name === 'redis' || name === 'sentinel' ? '077' : '022'
      const [command = '', ...rest] = [...inside, 'sh', '-c', BECOME, file(name), umask, ...argv]
      const child = spawn(command, rest, {
        detached: true,
        stdio: ['ignore', out, out],
        env: { ...environment, NETQ_ROOT: paths.root },
        cwd: paths.root,
      })
      let failed: string | undefined
      child.once('error', (error) => {
        failed = error.message
      })
      child.once('exit', () => {
        failed = `it ended at once; its log ${log} says why`
      })
      child.unref()
      while ((await running(name))?.pid !== child.pid) {
        if (failed !== undefined) {
          if (await running(name)) return
          throw new Error(`${name} could not be started: ${failed}`)
        }
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
    } finally {
      closeSync(out)
    }
  }

  return {
    start,
    running,
    stop: (name, graceMs = 10_000) => end(name, 'SIGTERM', graceMs),
    kill: (name) => end(name, 'SIGKILL', 0),
    restart: async (name) => {
      await end(name, 'SIGTERM', 10_000)
      await start(name)
    },
  }
}

/** The services of this root: units of systemd on an installed machine, child processes in a folder or a container. */
export function makeServices(paths: Paths): Services {
  return paths.root === '/' && hasSystemd() ? systemdServices() : childServices(paths)
}

/** The names of the services that were started below this root and not stopped since, dead or alive. */
export function startedServices(paths: Paths): ServiceName[] {
  try {
    return readdirSync(paths.pids) as ServiceName[]
  } catch {
    return []
  }
}

function signalProcess(known: Process, signal: NodeJS.Signals): void {
  if (processState(known.pid)?.started !== known.started) return
  try {
    process.kill(known.pid, signal)
  } catch {
    // It ended between the look and the signal.
  }
}
