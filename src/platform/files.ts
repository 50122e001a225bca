import {
  closeSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'

/**
 * Replaces a file whole: the new text is on the disk under another name before it takes the old one's place, and
 * the folder is synced after, so that a power loss leaves either the old text or the new one. Its owner stays: a Redis
 * that systemd starts just then, as its own user, has to be able to read it.
 * Throws what the file system throws (ENOSPC, EACCES ...); the old file is then as it was.
 */
export function replaceFile(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true })
  // Two processes keep netq.yml: each has its own name, or one would rename the other's half.
  const fresh = `${path}.${process.pid}.new`
  const owner = process.getuid?.() === 0 ? statSync(path, { throwIfNoEntry: false }) : undefined
  const file = openSync(fresh, 'w', mode)
  try {
    if (owner) fchownSync(file, owner.uid, owner.gid)
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(fresh, path)
  const folder = openSync(dirname(path), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** The text of a file, or undefined where there is none. Other errors are thrown. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
