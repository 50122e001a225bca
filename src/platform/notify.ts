import { systemdNotify } from './native.ts'

/** What a service tells the service manager of itself. Where no systemd started it, all of this does nothing. */
export interface Manager {
  /** It really serves now. Resolves when that is told. Rejects only if it could not be told. */
  ready(): Promise<void>
  /**
   * The working loop has just made a successful pass; never to be called from a mere timer, which goes on while the work
   * stands. systemd is told as often as it needs to be.
   * @param status what it is doing, for `systemctl status`
   */
  alive(status?: string): void
  /** It is about to end. */
  stopping(): void
}

const none: Manager = { ready: async () => {}, alive: () => {}, stopping: () => {} }

/**
 * The service manager of this process, by the environment: NOTIFY_SOCKET, and WATCHDOG_USEC and WATCHDOG_PID if there is a
 * watchdog (`WatchdogSec=`).
 * @param load what gives the function that tells it (tests give their own)
 */
export function serviceManager(
  env: NodeJS.ProcessEnv = process.env,
  load: () => Promise<(state: string) => void> = systemdNotify,
): Manager {
  if (!env.NOTIFY_SOCKET) return none
  const everyMs = watchdogMs(env) / 4
  let tell: (state: string) => void = () => {}
  let due = Number.isFinite(everyMs) ? 0 : everyMs
  let said: string | undefined
  return {
    ready: async () => {
      tell = await load()
      tell('READY=1')
    },
    alive: (status) => {
      const now = performance.now()
      const lines: string[] = []
      if (now >= due) {
        lines.push('WATCHDOG=1')
        due = now + everyMs
      }
      if (status !== undefined && status !== said) {
        lines.push(`STATUS=${status.replaceAll('\n', ' ')}`)
        said = status
      }
      if (lines.length > 0) tell(lines.join('\n'))
    },
    stopping: () => tell('STOPPING=1'),
  }
}

/** How long systemd waits for a sign of life, in milliseconds; infinity without a watchdog, or if it is another process's. */
function watchdogMs({ WATCHDOG_USEC, WATCHDOG_PID }: NodeJS.ProcessEnv): number {
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(process.pid)) return Number.POSITIVE_INFINITY
  const ms = Number(WATCHDOG_USEC) / 1000
  return ms > 0 ? ms : Number.POSITIVE_INFINITY
}

/**
 * The listening socket that systemd opened for this process and passes on, as `{ fd }`; undefined if it did not. To be asked
 * once: the environment is cleared of it, so that no child takes it for its own.
 */
export function passedSocket(env: NodeJS.ProcessEnv = process.env): { fd: number } | undefined {
  const { LISTEN_PID, LISTEN_FDS } = env
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name]
  if (LISTEN_PID !== String(process.pid) || LISTEN_FDS === undefined) return undefined
  if (LISTEN_FDS !== '1') throw new Error(`systemd passed ${LISTEN_FDS} sockets instead of one`)
  return { fd: 3 }
}
