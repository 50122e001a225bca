/**
 * What a run of the tests has left behind. A run is known by a marker in the environment of all that it starts, and
 * by a folder for its temporary files: Redis writes its title over its environment, but it works in that folder.
 */
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** @typedef {{ pid: number, command: string }} Process */

/**
 * The processes that carry `marker` (`NAME=value`) in their environment, or have their working folder or an open file
 * in `folder`. Not among them: this process, those it descends from, and its own children (vitest's workers).
 * @param {string} marker
 * @param {string} folder
 * @returns {Process[]}
 */
export function leftProcesses(marker, folder) {
  const line = ancestors()
  const found = []
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!pid || line.has(pid) || parentOf(pid) === process.pid) continue
    if (carries(pid, marker) || worksIn(pid, folder)) found.push({ pid, command: commandOf(pid) })
  }
  return found
}

/**
 * Ends the processes at once: whoever left them behind has had its chance to end them well.
 * @param {readonly Process[]} processes
 */
export function endProcesses(processes) {
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended by itself since it was listed.
    }
  }
}

/** @returns {Set<number>} */
function ancestors() {
  const line = new Set([process.pid])
  for (let pid = process.ppid; pid > 1 && !line.has(pid); pid = parentOf(pid) ?? 0) line.add(pid)
  return line
}

/**
 * The parent, or undefined where the process is gone or dead (a zombie holds nothing).
 * @param {number} pid
 */
function parentOf(pid) {
  const [state, parent] = afterName(pid)
  return state === undefined || state === 'Z' ? undefined : Number(parent)
}

/**
 * The fields of /proc/<pid>/stat after the name, which is the only one that may hold spaces.
 * @param {number} pid
 */
function afterName(pid) {
  const stat = orNothing(() => readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? ''
  return stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .filter(Boolean)
}

/**
 * @param {number} pid
 * @param {string} marker
 */
function carries(pid, marker) {
  const environment = orNothing(() => readFileSync(`/proc/${pid}/environ`, 'utf8')) ?? ''
  return environment.split('\0').includes(marker)
}

/**
 * @param {number} pid
 * @param {string} folder
 */
function worksIn(pid, folder) {
  const files = orNothing(() => readdirSync(`/proc/${pid}/fd`)) ?? []
  return ['cwd', ...files.map((file) => `fd/${file}`)].some((link) => {
    const target = orNothing(() => readlinkSync(`/proc/${pid}/${link}`)) ?? ''
    return target === folder || target.startsWith(`${folder}/`)
  })
}

/** @param {number} pid */
function commandOf(pid) {
  const text = orNothing(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ?? ''
  return text.replace(/\0/g, ' ').trim().slice(0, 200)
}

/**
 * Processes come and go while they are looked at, and others' may not be looked at: both are "nothing seen".
 * @template T
 * @param {() => T} read
 * @returns {T | undefined}
 */
function orNothing(read) {
  try {
    return read()
  } catch {
    return undefined
  }
}

// `node leftovers.mjs <marker> <folder>`: ends what is left, removes the folder, says what it ended.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [marker = '', folder = ''] = process.argv.slice(2)
  const left = leftProcesses(marker, folder)
  for (const { pid, command } of left) console.log(`Ended process ${pid}, which was left behind: ${command}`)
  endProcesses(left)
  rmSync(folder, { recursive: true, force: true })
}
