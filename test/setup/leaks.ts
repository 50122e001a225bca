import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endProcesses, leftProcesses } from '../../scripts/leftovers.mjs'

/**
 * Fails the run if a test leaves something behind, and names it: a process, a file in the temporary folder, a network
 * namespace. NETQ_TEST_RUN in the environment is the run's name (six letters or digits) and TMPDIR its own folder, so
 * that other runs on the machine are not confused with this one. A test names its namespaces `nqt-${NETQ_TEST_RUN}-...`.
 * What is found is removed, once it has been named.
 */
export default function setup(): () => Promise<void> {
  const outer = { TMPDIR: process.env.TMPDIR, NETQ_TEST_RUN: process.env.NETQ_TEST_RUN }
  // Short, because the paths of unix sockets below it may have 107 bytes.
  const folder = mkdtempSync(join(tmpdir(), 'nqt-'))
  const run = folder.slice(-6)
  process.env.TMPDIR = folder
  process.env.NETQ_TEST_RUN = run
  const namespacesBefore = namespaces()

  return async () => {
    const processes = await settled(() => leftProcesses(`NETQ_TEST_RUN=${run}`, folder))
    endProcesses(processes)
    const files = readdirSync(folder)
    rmSync(folder, { recursive: true, force: true })
    const left = namespaces().filter((name) => !namespacesBefore.includes(name) && mayBeOurs(name, run))
    for (const name of left) if (isOurs(name, run)) execFileSync('ip', ['netns', 'delete', name])
    process.env.TMPDIR = outer.TMPDIR
    process.env.NETQ_TEST_RUN = outer.NETQ_TEST_RUN
    if (outer.TMPDIR === undefined) delete process.env.TMPDIR
    if (outer.NETQ_TEST_RUN === undefined) delete process.env.NETQ_TEST_RUN

    const lines = [
      ...processes.map(({ pid, command }) => `process ${pid}: ${command}`),
      ...files.map((name) => `file in the temporary folder: ${name}`),
      ...left.map((name) => `network namespace: ${name}`),
    ]
    if (lines.length > 0) throw new Error(`The tests left this behind:\n${lines.join('\n')}`)
  }
}

/** The last list of two seconds of looking, or an empty one at once: what was just told to end may need a moment. */
async function settled<T>(look: () => T[]): Promise<T[]> {
  const end = Date.now() + 2000
  for (;;) {
    const found = look()
    if (found.length === 0 || Date.now() > end) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function namespaces(): string[] {
  try {
    return readdirSync('/run/netns')
  } catch {
    // The folder is made with the first namespace.
    return []
  }
}

const isOurs = (name: string, run: string) => name.startsWith(`nqt-${run}`)

/** A new `nqt-` namespace counts as ours unless it has another run's name in it. */
const mayBeOurs = (name: string, run: string) =>
  isOurs(name, run) || (name.startsWith('nqt-') && !/^nqt-[0-9A-Za-z]{6}(-|$)/.test(name))
