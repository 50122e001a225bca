import { rmSync, statSync } from 'node:fs'
import type { BackupSettings } from '../config/netq-yml.ts'
import { amount } from '../text/amount.ts'
import type { BackupFile } from './files.ts'
import { roomIn } from './room.ts'

/**
 * The backups that are to go, of all that there are (the newest first): those beyond the number, and those that are too old.
 * The newest stays, however old it is.
 */
export function outdated(
  files: readonly BackupFile[],
  { keep, maxAgeMs }: Pick<BackupSettings, 'keep' | 'maxAgeMs'>,
  now: number,
): BackupFile[] {
  return files.filter(({ time }, i) => i >= keep || (i > 0 && now - time > maxAgeMs))
}

/** What a run writes: so many bytes below each of these folders. */
export type Needs = readonly { readonly folder: string; readonly bytes: number }[]

/**
 * Sees to it that there is room, by removing backups, the oldest first; never the newest, and none where that would not
 * help. Rejects with a sentence if there is none; nothing was removed then.
 * @param room how many bytes a folder has room for
 * @returns what was removed
 */
export async function makeRoom(
  needs: Needs,
  files: readonly BackupFile[],
  room: (folder: string) => Promise<number> = roomIn,
): Promise<BackupFile[]> {
  const doomed = new Set<BackupFile>()
  for (const [disk, here] of Map.groupBy(needs, ({ folder }) => diskOf(folder))) {
    const [{ folder } = { folder: '' }] = here
    const needed = here.reduce((sum, { bytes }) => sum + bytes, 0)
    const free = await room(folder)
    let freed = 0
    for (const file of files.slice(1).reverse()) {
      if (free + freed >= needed) break
      if (diskOf(file.path) !== disk) continue
      doomed.add(file)
      freed += file.bytes
    }
    if (free + freed < needed) {
      throw new Error(
        `there is no room for a backup: it takes up to ${amount(needed, 'B')} on the disk of ${folder}, which has ${amount(Math.max(0, free), 'B')} to spare. Nothing was changed; make room there`,
      )
    }
  }
  for (const { path } of doomed) rmSync(path, { force: true })
  return [...doomed]
}

const diskOf = (path: string) => statSync(path).dev
