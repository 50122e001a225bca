import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Paths } from '../platform/paths.ts'

export type Role = 'master' | 'replica'

/** A backup that is on this server. */
export interface BackupFile {
  readonly path: string
  readonly name: string
  /** What the server was when it was made, and when that was, ms since the epoch. */
  readonly role: Role
  readonly time: number
  /** As it is on the disk, compressed. */
  readonly bytes: number
}

const NAME = /^appendonly\.aof_(master|replica)_(\d{4}-\d\d-\d\d)_(\d\d)(\d\d)(\d\d)\.gz$/

/** As NetQ names them, with the time in UTC: `appendonly.aof_master_2017-06-06_054601.gz`. */
export function nameOf(role: Role, time: number): string {
  const [day, clock] = new Date(time).toISOString().split('T') as [string, string]
  return `appendonly.aof_${role}_${day}_${clock.slice(0, 8).replaceAll(':', '')}.gz`
}

/** Those that cts-backup made: the newest is in one folder, the earlier ones in another. The newest first. */
export function backupsOf(paths: Paths): BackupFile[] {
  return newestFirst([...backupsIn(paths.backup), ...backupsIn(paths.earlierBackups)])
}

/** What restores have put aside, which is a backup too. */
export function putAside(paths: Paths): BackupFile[] {
  return newestFirst(namesIn(paths.archive).flatMap((name) => backupsIn(join(paths.archive, name))))
}

/** A backup by the name that an operator types: a path, or the name of one that `show backups` lists. */
export function pathOf(paths: Paths, name: string): string {
  if (name.startsWith('/')) return name
  const known = [...backupsOf(paths), ...putAside(paths)].find((file) => file.name === name)
  if (known) return known.path
  throw new Error(
    `${name} is no backup of this server, and no path that begins with /. Nothing was changed. To see those that there are: netq config ts show backups`,
  )
}

function backupsIn(folder: string): BackupFile[] {
  return namesIn(folder).flatMap((name) => {
    const [, role, day, hour, minute, second] = NAME.exec(name) ?? []
    if (role === undefined) return []
    const path = join(folder, name)
    const time = Date.parse(`${day}T${hour}:${minute}:${second}Z`)
    const stat = statSync(path, { throwIfNoEntry: false })
    return stat ? [{ path, name, role: role as Role, time, bytes: stat.size }] : []
  })
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function newestFirst(files: BackupFile[]): BackupFile[] {
  return files.sort((a, b) => b.time - a.time)
}
