import { spawnSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { Sentence } from './sentence.mjs'

/**
 * Does the work while no other process of this machine holds the lock file. The kernel's lock on the open file is what
 * counts, so that a holder which was killed leaves nothing stale; the number in it only tells who to wait for.
 * @template T
 * @param {string} file
 * @param {(fd: number) => Promise<T>} work a child that inherits `fd` holds the lock as well, for as long as it lives
 * @returns {Promise<T>}
 */
export async function withLock(file, work) {
  mkdirSync(dirname(file), { recursive: true })
  const fd = openSync(file, 'a+')
  try {
    if (!lock(fd, '--nonblock')) {
      process.stderr.write(`Waiting for the set-up that process ${readFileSync(file, 'utf8')} is doing\n`)
      if (!lock(fd))
        throw new Sentence(`The lock ${file} could not be taken. Nothing was changed; try again.`)
    }
    ftruncateSync(fd)
    writeSync(fd, String(process.pid))
    return await work(fd)
  } finally {
    closeSync(fd)
  }
}

/**
 * Locks the open file that this process and flock(1) share; the lock outlives flock.
 * @param {number} fd
 * @param {...string} options
 */
function lock(fd, ...options) {
  const { error, status } = spawnSync('flock', [...options, '3'], {
    stdio: ['ignore', 'inherit', 'inherit', fd],
  })
  if (error)
    throw new Sentence(
      `flock (of Debian's package util-linux) is needed, and cannot be run: ${error.message}`,
    )
  return status === 0
}
