import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createReadStream, createWriteStream, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import type { Redis } from 'ioredis'
import { readIfThere } from '../platform/files.ts'
import type { Paths } from '../platform/paths.ts'
import { processState } from '../platform/process.ts'
import { connect } from '../store/connection.ts'
import { roomIn } from './room.ts'

/** How often the room on the disk is looked at while a backup is unpacked, in bytes. */
const LOOK_EVERY_BYTES = 16 << 20
/** How often it is asked whether it has loaded its data, in milliseconds. */
const ASK_EVERY_MS = 50
/** The most that an answer of it may take: while it loads it answers between two parts of it. */
const ANSWER_MS = 30_000

/**
 * A Redis that nobody else knows of, with a backup in it: in a private folder, on a unix socket, and gone with the process
 * that made it, however that ends. Nothing of it is ever taken over into the store as it is.
 */
export class Scratch {
  private readonly folder: string
  private child: ChildProcess | undefined
  private redis: Redis | undefined
  private ended = false

  private constructor(folder: string) {
    this.folder = folder
  }

  static make(paths: Paths): Scratch {
    const me = processState(process.pid)!
    mkdirSync(paths.scratch, { recursive: true, mode: 0o750 })
    for (const name of readdirSync(paths.scratch)) if (isLeft(name)) remove(join(paths.scratch, name))
    const folder = join(paths.scratch, `${me.pid}-${me.started}-${Date.now().toString(36)}`)
    mkdirSync(folder, { mode: 0o700 })
    return new Scratch(folder)
  }

  private get file(): string {
    return join(this.folder, 'appendonly.aof')
  }

  /**
   * Unpacks a backup; @returns its size unpacked, in bytes. Rejects with a sentence if it is no whole gzip file of a Redis'
   * data, or if the disk has no room for it.
   */
  async unpack(path: string): Promise<number> {
    const { folder } = this
    let [bytes, looked] = [0, -LOOK_EVERY_BYTES]
    const counted = new Transform({
      async transform(chunk: Buffer, _, done) {
        bytes += chunk.length
        if (bytes - looked >= LOOK_EVERY_BYTES) {
          looked = bytes
          const room = await roomIn(folder).catch(() => 0)
          if (room < LOOK_EVERY_BYTES) {
            done(new Error(`there is no room to unpack ${path} in ${folder}: make room on its disk`))
            return
          }
        }
        done(null, chunk)
      },
    })
    try {
      await pipeline(
        createReadStream(path),
        createGunzip(),
        counted,
        createWriteStream(this.file, { mode: 0o600 }),
      )
    } catch (error) {
      throw new Error(unpackProblem(path, error as NodeJS.ErrnoException))
    }
    await this.expectRedisData(path)
    return bytes
  }

  private async expectRedisData(path: string): Promise<void> {
    const handle = await open(this.file)
    const { buffer } = await handle.read(Buffer.alloc(5), 0, 5, 0)
    await handle.close()
    if (!/^(REDIS|\*\d)/.test(buffer.toString('latin1')))
      throw new Error(`${path} is not a backup: what is packed in it are not the data of a Redis`)
  }

  /** Loads what was unpacked. Rejects with a sentence if Redis cannot read all of it. */
  async load(path: string): Promise<Redis> {
    const socket = join(this.folder, 's')
    const settings = {
      port: '0',
      unixsocket: socket,
      unixsocketperm: '700',
      dir: this.folder,
      logfile: this.log,
      appendonly: 'yes',
      appendfsync: 'no',
      save: '',
      'aof-load-truncated': 'no',
      'auto-aof-rewrite-percentage': '0',
    }
    const argv = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
    // It dies with this process, also where that is killed.
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', 'redis-server', ...argv], { stdio: 'ignore' })
    this.child.once('error', () => this.end())
    this.child.once('exit', () => this.end())
    for (;;) {
      if (this.ended) throw new Error(`${path} cannot be loaded: ${this.whyNot()}`)
      try {
        this.redis ??= await connect({ host: '', port: 0, path: socket, commandMs: ANSWER_MS })
        if (/^loading:0/m.test(await this.redis.info('persistence'))) return this.redis
      } catch {
        this.redis?.disconnect()
        this.redis = undefined
      }
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS))
    }
  }

  /** Reads what was unpacked without loading it, which takes no memory. Rejects with a sentence if it is damaged. */
  read(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      execFile('redis-check-aof', [this.file], (error) => {
        if (error) reject(new Error(`${path} is damaged: redis-check-aof cannot read all of it`))
        else resolve()
      })
    })
  }

  async close(): Promise<void> {
    this.redis?.disconnect()
    if (this.child && !this.ended) {
      const gone = new Promise((resolve) => this.child!.once('exit', resolve))
      this.child.kill('SIGKILL')
      await gone
    }
    remove(this.folder)
  }

  private get log(): string {
    return join(this.folder, 'log')
  }

  private end(): void {
    this.ended = true
  }

  /** What Redis wrote last, in an operator's words where they are known. */
  private whyNot(): string {
    const text = readIfThere(this.log) ?? ''
    if (/Can't handle RDB format version/.test(text)) return 'it was made by a newer version of Redis'
    if (/Unexpected end of file|Short read|truncated/i.test(text)) return 'it ends in the middle'
    if (/Bad file format/.test(text)) return 'it is damaged'
    const [last = 'Redis did not start'] = text.trim().split('\n').slice(-1)
    return last.replace(/^.*? [*#.-] /, '')
  }
}

/** Why a file could not be unpacked, in an operator's words. */
function unpackProblem(path: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return `${path} is not there`
  if (error.code === 'EACCES') return `${path} may not be read`
  if (error.code === 'ENOSPC')
    return `there is no room to unpack ${path}: make room on the disk of this server`
  if (error.code === 'Z_BUF_ERROR') return `${path} is cut off: it ends in the middle`
  if (error.message === 'incorrect header check') return `${path} is not a backup: it is no gzip file`
  if (error.code?.startsWith('Z_')) return `${path} is damaged: it cannot be unpacked (${error.message})`
  return error.message
}

/** Whether a folder is of a process that is no more: `<pid>-<started>-<time>`. */
function isLeft(name: string): boolean {
  const [pid, started] = name.split('-')
  return processState(Number(pid))?.started !== started
}

function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true })
  } catch {
    // What root left, when a restore was killed, is root's to remove: cts-auth does with the next restore.
  }
}
