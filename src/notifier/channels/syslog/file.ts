import { constants } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { sentenceOf } from '../../../platform/log.ts'
import type { Channel, Notification, Sent } from '../../types.ts'
import type { ChannelContext } from '../kind.ts'
import { logLine } from './line.ts'

const { O_APPEND, O_CREAT, O_WRONLY } = constants

/**
 * The log file of the notifier, which gets everything that is not sent to None. The file is opened anew for every batch
 * (less than 1 ms), so that it may be renamed, removed or truncated at any time: a batch is whole in the one file or in the other.
 */
export class SyslogFile implements Channel {
  private readonly path: string
  private readonly server: string
  /** The last write ended within a line, as the disk was full: the next one begins a line of its own. */
  private brokenOff = false

  constructor({ logFile, server }: ChannelContext) {
    this.path = logFile
    this.server = server
  }

  async send(notifications: readonly Notification[], signal: AbortSignal): Promise<Sent> {
    if (signal.aborted) return { taken: 0, problem: `stopped before ${this.path} was written` }
    const lines = notifications.map((one) => Buffer.from(logLine(one, this.server, process.pid)))
    const before = this.brokenOff ? 1 : 0
    const bytes = Buffer.concat(before ? [Buffer.from('\n'), ...lines] : lines)
    let written = 0
    try {
      const file = await this.open()
      try {
        while (written < bytes.length) written += (await file.write(bytes, written)).bytesWritten
      } finally {
        await file.close()
      }
      this.brokenOff = false
      return { taken: notifications.length }
    } catch (error) {
      const { taken, rest } = whole(lines, written - before)
      if (written > 0) this.brokenOff = rest > 0
      return { taken, problem: `${this.path} cannot be written (${sentenceOf(error)})` }
    }
  }

  async close(): Promise<void> {}

  private async open(): Promise<FileHandle> {
    const flags = O_WRONLY | O_APPEND | O_CREAT
    try {
      return await open(this.path, flags, 0o644)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      await mkdir(dirname(this.path), { recursive: true })
      return open(this.path, flags, 0o644)
    }
  }
}

/** How many lines are whole in so many bytes, and how many bytes there are of the next one. */
function whole(lines: readonly Buffer[], bytes: number): { taken: number; rest: number } {
  let rest = Math.max(0, bytes)
  for (const [taken, line] of lines.entries()) {
    if (rest < line.length) return { taken, rest }
    rest -= line.length
  }
  return { taken: lines.length, rest: 0 }
}
