import { existsSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Paths } from '../platform/paths.ts'

/** How many copies of data that had to make room are kept: the archive must not fill the disk. */
const KEEP = 5

/** Puts the data of a stopped Redis aside, so that it starts empty. @returns where they are now */
export function moveToArchive(paths: Paths): string {
  const place = newPlace(paths)
  if (existsSync(paths.redisData)) renameSync(paths.redisData, place)
  return place
}

/**
 * Keeps the data of a running Redis that is about to take another's copy: by hard links, which cost no time and no
 * room; Redis writes its next files under new names. @returns where they are
 */
export function linkToArchive(paths: Paths): string {
  const place = newPlace(paths)
  const from = join(paths.redisData, 'appendonlydir')
  mkdirSync(place, { mode: 0o750 })
  for (const name of readdirSync(from)) linkSync(join(from, name), join(place, name))
  return place
}

/** The name of a new folder in the archive; the oldest ones make room for it. */
export function newPlace(paths: Paths): string {
  mkdirSync(paths.archive, { recursive: true, mode: 0o750 })
  const old = readdirSync(paths.archive).sort().reverse()
  for (const name of old.slice(KEEP - 1)) rmSync(join(paths.archive, name), { recursive: true, force: true })
  return join(paths.archive, `redis_${new Date().toISOString().replace(/[:.]/g, '')}`)
}
