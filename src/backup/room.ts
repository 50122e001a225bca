import { readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'

/** Of a file system this much is left to others, whatever it is for: a share, and no less than these bytes. */
const LEFT_SHARE = 0.05
const LEFT_BYTES = 128 * 1024 * 1024

/** How many bytes may be written below this folder without filling its disk; below zero if it is too full already. */
export async function roomIn(folder: string): Promise<number> {
  const { bavail, blocks, bsize } = await statfs(folder)
  return bavail * bsize - Math.max(LEFT_BYTES, LEFT_SHARE * blocks * bsize)
}

/** How much memory programs can still have without swapping, in bytes. */
export function memoryAvailable(): number {
  const [, kib = '0'] = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8')) ?? []
  return Number(kib) * 1024
}
