import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  openSync,
  readdirSync,
  readSync,
} from 'node:fs'
import { chown, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/**
 * Holes in Redis' append only file. When its disk is full, Redis (7.0.15, measured) takes back what it could write of a part,
 * but a file that it began since it was started is not opened for appending: it goes on where that part had ended, and in
 * between there are zeros. Nothing is missing, yet it refuses to load the file when it is next started. A power loss can
 * leave zeros at the end in the same way.
 */

const CHUNK_BYTES = 1 << 20
const [STAR, HASH, DOLLAR, LINE_END] = [42, 35, 36, 10]
/** A longer line is none of the protocol's: `$<length>`, `*<count>`, or `#TS:<seconds>`. */
const LINE_BYTES = 64

/**
 * Closes the holes in the increments of an append only file whose Redis does not run. Each file is replaced whole.
 * @param dataFolder Redis' `dir`
 * @returns how many zeros were taken out, in bytes
 */
export async function closeHoles(dataFolder: string): Promise<number> {
  const folder = join(dataFolder, 'appendonlydir')
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.incr.aof')) : []
  let closed = 0
  for (const name of names) {
    const path = join(folder, name)
    // Nearly always there is no zero at all, which is seen as fast as the file can be read.
    if (!hasZeros(path)) continue
    const { size, uid, gid, mode } = await stat(path)
    const zeros = size - (await lengthWithout(path))
    if (zeros === 0) continue
    const fresh = `${path}.mended`
    try {
      await pipeline(withoutHoles(createReadStream(path)), createWriteStream(fresh, { mode, flush: true }))
      if (process.getuid?.() === 0) await chown(fresh, uid, gid)
      await rename(fresh, path)
    } catch (error) {
      await rm(fresh, { force: true })
      throw error
    }
    closed += zeros
  }
  return closed
}

/** An increment of an append only file without the zeros between its commands; what is not one is left as it is. */
export async function* withoutHoles(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const walk = new Walk()
  for await (const chunk of chunks) yield* walk.over(chunk)
}

/** Where in the commands of an append only file it is: each is `*<count>`, and so often `$<length>` and as many bytes. */
class Walk {
  private line = ''
  /** Arguments of this command that are to come. */
  private args = 0
  /** Bytes of this argument, and of the end of its line, that are to come. */
  private skip = 0
  /** It is no append only file from here on. */
  private lost = false

  /** What is left of the next bytes. */
  over(chunk: Buffer): Buffer[] {
    const left: Buffer[] = []
    let [at, from] = [0, 0]
    while (at < chunk.length && !this.lost) {
      if (this.skip > 0) {
        const bytes = Math.min(this.skip, chunk.length - at)
        this.skip -= bytes
        at += bytes
      } else if (this.args === 0 && this.line === '' && chunk[at] === 0) {
        if (at > from) left.push(chunk.subarray(from, at))
        while (chunk[at] === 0) at++
        from = at
      } else {
        const end = chunk.indexOf(LINE_END, at)
        const stop = end < 0 ? chunk.length : end + 1
        this.line += chunk.toString('latin1', at, Math.min(stop, at + LINE_BYTES))
        at = stop
        if (end >= 0) this.take(this.line)
        else if (this.line.length > LINE_BYTES) this.lost = true
      }
    }
    if (from < chunk.length) left.push(chunk.subarray(from))
    return left
  }

  private take(line: string): void {
    this.line = ''
    const first = line.charCodeAt(0)
    const number = Number(line.slice(1))
    const inside = this.args > 0
    if (!inside && first === HASH) return
    if (first !== (inside ? DOLLAR : STAR) || !Number.isSafeInteger(number) || number < 0) this.lost = true
    else if (inside) {
      this.args--
      this.skip = number + 2
    } else this.args = number
  }
}

async function lengthWithout(path: string): Promise<number> {
  let length = 0
  for await (const part of withoutHoles(createReadStream(path, { highWaterMark: CHUNK_BYTES })))
    length += part.length
  return length
}

function hasZeros(path: string): boolean {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  const file = openSync(path, 'r')
  try {
    for (let bytes = 1; bytes > 0; ) {
      bytes = readSync(file, chunk)
      if (chunk.subarray(0, bytes).includes(0)) return true
    }
    return false
  } finally {
    closeSync(file)
  }
}
