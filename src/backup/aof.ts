import { createWriteStream } from 'node:fs'
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Redis } from 'ioredis'
import { withoutHoles } from '../store/holes.ts'

/** How often the files are opened anew because Redis has just put others in their place. */
const TRIES = 20
const CHUNK_BYTES = 1 << 20
/** Redis puts off writing while its disk is slow, by 2 s at most; milliseconds. */
const WRITTEN_MS = 5000

interface OpenFile {
  readonly handle: FileHandle
  readonly bytes: number
}

/**
 * The append only file of a running Redis, as it was at one moment: the base, an RDB that is never written again, and the
 * increments, which only grow. Read up to where they reached, one after the other, they are the one file that Redis had
 * before version 7 and still loads: `appendonly.aof`. Redis forks nothing for it and writes nothing.
 */
export class AofCopy {
  private readonly files: readonly OpenFile[]

  private constructor(files: readonly OpenFile[]) {
    this.files = files
  }

  /**
   * With everything in it that was applied by now: Redis writes it before it answers, unless its disk is slow.
   * @param dataFolder Redis' `dir`. Rejects with a sentence if it cannot write, or does not.
   */
  static async written(redis: Redis, dataFolder: string): Promise<AofCopy> {
    for (const end = performance.now() + WRITTEN_MS; ; ) {
      const info = await redis.info('persistence')
      if (/^aof_last_write_status:err/m.test(info))
        throw new Error('Redis cannot write to its disk, so there is nothing to copy: see cts-redis.log')
      if (/^aof_buffer_length:0\r?$/m.test(info)) return AofCopy.open(dataFolder)
      if (performance.now() > end)
        throw new Error(`Redis has not written to its disk for ${WRITTEN_MS / 1000} s: see cts-redis.log`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** @param dataFolder Redis' `dir`. Rejects with a sentence if there is nothing to copy. */
  private static async open(dataFolder: string): Promise<AofCopy> {
    const folder = join(dataFolder, 'appendonlydir')
    const manifest = join(folder, 'appendonly.aof.manifest')
    for (let tries = 0; tries < TRIES; tries++) {
      const before = await readFile(manifest, 'utf8').catch(() => '')
      const handles: FileHandle[] = []
      try {
        for (const name of namesIn(before)) handles.push(await open(join(folder, name)))
        const files = await Promise.all(
          handles.map(async (handle) => ({ handle, bytes: (await handle.stat()).size })),
        )
        // What is open stays readable; a manifest that is the same after says that these were the files of one moment.
        if (handles.length > 0 && (await readFile(manifest, 'utf8')) === before) return new AofCopy(files)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
          await closeAll(handles)
          throw error
        }
      }
      await closeAll(handles)
    }
    throw new Error(`${folder} has no append only file of Redis: is Redis running on this server?`)
  }

  /** How much there is to copy, in bytes. */
  get bytes(): number {
    return this.files.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Writes it compressed, and whole or not at all; `path` is readable for its owner and the group only. */
  async writeTo(path: string): Promise<void> {
    const fresh = `${path}.new`
    try {
      // The fastest level: 98 MB become 40 MB; what a run takes most of its time for is this and the loading (7 s in all).
      const target = createWriteStream(fresh, { mode: 0o640, flush: true })
      await pipeline(() => this.chunks(), createGzip({ level: 1 }), target)
      await rename(fresh, path)
    } catch (error) {
      await rm(fresh, { force: true })
      throw error
    }
  }

  async close(): Promise<void> {
    await closeAll(this.files.map(({ handle }) => handle))
  }

  private async *chunks(): AsyncGenerator<Buffer> {
    const [base, ...increments] = this.files
    if (base) yield* chunksOf(base)
    for (const file of increments) yield* withoutHoles(chunksOf(file))
  }
}

async function* chunksOf({ handle, bytes }: OpenFile): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes; ) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, bytes - at))
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, at)
    if (bytesRead === 0) throw new Error('the append only file became shorter while it was read')
    yield chunk.subarray(0, bytesRead)
    at += bytesRead
  }
}

/** Lines such as `file appendonly.aof.2.incr.aof seq 2 type i`: base (b) and increments (i) in order; history (h) is going. */
function namesIn(manifest: string): string[] {
  const files = [...manifest.matchAll(/^file (\S+) seq \d+ type ([bi])$/gm)]
  return files.sort((a, b) => Number(b[2] === 'b') - Number(a[2] === 'b')).map(([, name]) => name!)
}

async function closeAll(handles: readonly FileHandle[]): Promise<void> {
  await Promise.all(handles.map((handle) => handle.close()))
}
