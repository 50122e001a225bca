import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, statfsSync } from 'node:fs'

/** More than any run writes; a memory file system takes only what is in it. */
const WIDE = '16g'

/** How many pages more are tried for a disk that is written to while it is made full. */
const MORE_PAGES = 64

/** Folders that are file systems of their own, in memory, so that they can be made full, and have room again, at once. */
export class Disks {
  private readonly folders = new Set<string>()

  mount(folder: string): void {
    mkdirSync(folder, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${WIDE}`, 'netq-faults', folder])
    this.folders.add(folder)
  }

  /** Nothing more can be written there: its size becomes what is used. */
  fill(folder: string): void {
    for (let tries = 1; ; tries++) {
      const { bsize, blocks, bfree } = statfsSync(folder)
      try {
        this.resize(folder, `${(blocks - bfree + tries - 1) * bsize}`)
        return
      } catch (error) {
        // More was written since the look than the size allows.
        if (tries > MORE_PAGES) throw error
      }
    }
  }

  free(folder: string): void {
    this.resize(folder, WIDE)
  }

  /** Unmounts all of them, which deletes what is in them. @param keep where to put it before, if it is to be looked at */
  remove(keep?: string): void {
    for (const folder of this.folders) {
      if (keep !== undefined && existsSync(folder)) {
        const to = `${keep}/${folder.split('/').at(-1)}`
        // Sockets cannot be copied, and need not be.
        cpSync(folder, to, {
          recursive: true,
          filter: (from) => !/\/run(\/|$)/.test(from.slice(folder.length)),
        })
      }
      // Lazily: a process that has just been killed may still be in it.
      execFileSync('umount', ['--lazy', folder])
    }
    this.folders.clear()
  }

  private resize(folder: string, size: string): void {
    execFileSync('mount', ['-o', `remount,size=${size}`, folder], { stdio: 'pipe' })
  }
}
