import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { environment, node24 } from './modules.mjs'

/** Within this many milliseconds, the same signal again is the same signal: npm and `timeout` pass on what the group got. */
const SAME_SIGNAL_MS = 1000

/**
 * Runs a script of the project with Node 24, in place of this process: same terminal, its exit status, and each signal
 * once. The last needs care, as a second SIGINT means "now" to many programs. In the foreground of a terminal, Ctrl-C
 * reaches the child from the terminal; npm sends this process another, which is dropped. Elsewhere the child gets a
 * process group of its own, so that it gets signals from here only.
 * @param {string} root
 * @param {readonly string[]} argv the script and its arguments
 * @returns {Promise<number>} the exit status, 128 + N after signal N
 */
export function runHere(root, argv) {
  const foreground = inForeground()
  const child = spawn(node24(root), argv, { stdio: 'inherit', env: environment(root), detached: !foreground })
  /** @type {Map<NodeJS.Signals, number>} */
  const last = new Map()
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      if (foreground && signal !== 'SIGTERM') return
      const again = Date.now() - (last.get(signal) ?? 0) < SAME_SIGNAL_MS
      if (again) return
      last.set(signal, Date.now())
      child.kill(signal)
    })
  }
  return new Promise((end, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => end(code ?? 128 + (signal ? constants.signals[signal] : 0)))
  })
}

/** Whether the terminal sends its signals to this process's group (fields 5 and 8 of the stat file). */
function inForeground() {
  if (!process.stdin.isTTY) return false
  const stat = readFileSync('/proc/self/stat', 'utf8')
  const [, , group, , , terminalGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return group === terminalGroup
}
