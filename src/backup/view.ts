import { amount } from '../text/amount.ts'
import { ago } from '../text/duration.ts'
import { textTable } from '../text/table.ts'
import type { BackupFile } from './files.ts'

export interface BackupsShown {
  /** What cts-backup made, and what restores put aside; the newest first. */
  readonly made: readonly BackupFile[]
  readonly aside: readonly BackupFile[]
  /** The last backup that was restored, and when, ms since the epoch. */
  readonly restored: { readonly name: string; readonly time: number } | undefined
}

/** `netq config ts show backups`. */
export function backupsText({ made, aside, restored }: BackupsShown, now: number): string {
  const line = (why: string) => (file: BackupFile) => [
    file.path,
    `${ago(now - file.time)} ago`,
    file.role,
    amount(file.bytes, 'B'),
    why,
  ]
  const lines = [...made.map(line('backup')), ...aside.map(line('before a restore'))]
  const table = textTable(['File', 'Made', 'On The', 'Size', 'Why'], lines)
  const none = 'There are no backups on this server. To make one: sudo cts-backup\n'
  const last = restored ? `\nRestored ${ago(now - restored.time)} ago: ${restored.name}\n` : ''
  return (lines.length > 0 ? table : none) + last
}

/** The JSON of the same: times are seconds since the epoch. */
export function backupsJson({ made, aside, restored }: BackupsShown): object {
  const line = (why: string) => (file: BackupFile) => ({
    file: file.path,
    made: file.time / 1000,
    role: file.role,
    bytes: file.bytes,
    why,
  })
  return {
    backups: [...made.map(line('backup')), ...aside.map(line('before a restore'))],
    restored: restored ? { name: restored.name, time: restored.time / 1000 } : null,
  }
}
