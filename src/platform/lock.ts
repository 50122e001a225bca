import { linkSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readIfThere } from './files.ts'
import type { Log } from './log.ts'
import { sentenceOf } from './log.ts'

/** Whose folder it is, for the sentences. */
export interface Owner {
  /** What the folder is called, e.g. `the spool folder`. */
  readonly what: string
  /** What to do where another process has it. */
  readonly advice: string
}

/**
 * Makes this process the only owner of a folder, by a file `lock` that names the process: its pid, when it
 * was started and in which boot, because pids come again. A lock whose process is gone is taken over. Throws
 * one sentence if a living process (this one, too) has the folder. Returns how to release it.
 */
export function lockFolder(folder: string, log: Log, owner: Owner): () => void {
  const path = join(folder, 'lock')
  const mine = `${process.pid} ${startOf(process.pid)} ${bootId()}\n`
  const draft = join(folder, `lock.${process.pid}`)
  try {
    writeFileSync(draft, mine)
  } catch (error) {
    rmSync(draft, { force: true })
    // A full or read-only disk is no reason to go blind: whoever holds the folder is known without writing.
    refuseIfOwned(folder, readIfThere(path), owner)
    log.warning(
      `the lock of ${folder} cannot be written, so it does not keep a second process out: ${sentenceOf(error)}`,
    )
    return () => {}
  }
  try {
    // A link appears with its content, so nobody ever reads a lock that is half written.
    for (let tries = 0; !tryLink(draft, path); tries++) {
      const found = readIfThere(path)
      refuseIfOwned(folder, found, owner)
      if (tries > 20)
        throw new Error(`${owner.what} ${folder} could not be locked, as others try too; ${owner.advice}`)
      if (found !== undefined) removeStale(folder, path, `${draft}.old`, owner)
    }
  } finally {
    unlinkSync(draft)
  }
  return () => {
    if (readIfThere(path) === mine) unlinkSync(path)
  }
}

/** Moves the lock away first and looks again: another process may have replaced the stale one in between. */
function removeStale(folder: string, path: string, aside: string, owner: Owner): void {
  try {
    renameSync(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  try {
    refuseIfOwned(folder, readFileSync(aside, 'utf8'), owner)
  } catch (error) {
    tryLink(aside, path)
    throw error
  } finally {
    unlinkSync(aside)
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function refuseIfOwned(folder: string, text: string | undefined, owner: Owner): void {
  const [pid = '', start = '', boot = ''] = (text ?? '').trim().split(' ')
  if (!/^\d+$/.test(pid) || start === '' || boot !== bootId() || startOf(Number(pid)) !== start) return
  throw new Error(`${owner.what} ${folder} is in use by process ${pid}; nothing was changed: ${owner.advice}`)
}

/** When a process was started, in clock ticks since the boot; empty if there is no such process. */
function startOf(pid: number): string {
  try {
    // The second field is the program's name in parentheses and may hold anything; the rest is counted from
    // its end.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? '' : (fields[19] ?? '')
  } catch {
    return ''
  }
}

function bootId(): string {
  return (readIfThere('/proc/sys/kernel/random/boot_id') ?? 'unknown').trim()
}
