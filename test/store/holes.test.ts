import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { endChild } from '../../lab/child.ts'
import { connect } from '../../src/store/connection.ts'
import { closeHoles, withoutHoles } from '../../src/store/holes.ts'
import { skip } from '../setup/skip.ts'
import { freshAddresses } from '../support/addresses.ts'
import { until } from '../support/until.ts'

const command = (...words: string[]) =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`

/** The same bytes in parts of every length from 1 to 9. */
async function closed(text: string): Promise<string[]> {
  const bytes = Buffer.from(text)
  return Promise.all(
    Array.from({ length: 9 }, async (_, i) => {
      const parts: Buffer[] = []
      for (let at = 0; at < bytes.length; at += i + 1) parts.push(bytes.subarray(at, at + i + 1))
      const left: Buffer[] = []
      for await (const part of withoutHoles(Readable.from(parts))) left.push(part)
      return Buffer.concat(left).toString()
    }),
  )
}

describe('an append only file without its holes', () => {
  it.each([
    ['a hole between two commands', `${command('SET', 'a', '1')}\0\0\0${command('SET', 'b', '2')}`],
    ['one at the end', `${command('SET', 'a', '1')}${command('SET', 'b', '2')}\0\0`],
    ['two, and one at the beginning', `\0${command('SET', 'a', '1')}\0\0${command('SET', 'b', '2')}\0`],
  ])('%s is closed', async (_, text) => {
    const whole = `${command('SET', 'a', '1')}${command('SET', 'b', '2')}`
    expect(new Set(await closed(text))).toEqual(new Set([whole]))
  })

  it.each([
    ['zeros within a value, which are data', command('RESTORE', 'a', '0', '\0\0\r\n\0*1\r\n\0')],
    ['a value that is cut off', `${command('SET', 'a', '1')}*2\r\n$9\r\nab\0\0`],
    ['what is no append only file', `REDIS0010\0\0\0*1\r\n\0${'x'.repeat(300)}\0`],
    ['a time, as Redis may note it', `#TS:1795484233\r\n${command('SET', 'a', 'ä')}`],
    ['an empty file', ''],
  ])('%s stay as they are', async (_, text) => {
    expect(new Set(await closed(text))).toEqual(new Set([text]))
  })
})

/** A Redis whose disk is a small one. */
class SmallDisk {
  readonly folder = mkdtempSync(join(tmpdir(), 'small-'))
  readonly filler = join(this.folder, 'filler')
  private readonly address = freshAddresses()[0]
  private child: ChildProcess | undefined

  constructor() {
    if (process.getuid?.() !== 0) skip('needs root, to mount a small disk')
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', this.folder], { stdio: 'pipe' })
    } catch {
      skip('needs to be allowed to mount a small disk')
    }
    onTestFinished(async () => {
      await this.kill()
      execFileSync('umount', ['-l', this.folder])
      rmSync(this.folder, { recursive: true })
    })
  }

  get log(): string {
    return readFileSync(join(this.folder, 'log'), 'utf8')
  }

  start(): void {
    const data = join(this.folder, 'data')
    mkdirSync(data, { recursive: true })
    const settings = { bind: this.address, dir: data, save: '', appendonly: 'yes', appendfsync: 'everysec' }
    const words = Object.entries({ ...settings, logfile: join(this.folder, 'log') })
    this.child = spawn(
      'redis-server',
      words.flatMap(([name, value]) => [`--${name}`, value]),
      {
        stdio: 'ignore',
      },
    )
  }

  async redis(): Promise<Redis> {
    let redis: Redis | undefined
    await until('Redis answers', 5000, async () => {
      redis = await connect({ host: this.address, port: 6379 })
      return true
    })
    onTestFinished(() => redis!.disconnect())
    return redis!
  }

  async kill(): Promise<void> {
    if (this.child) await endChild(this.child)
  }

  get ended(): boolean {
    return this.child!.exitCode !== null
  }
}

describe('a full disk', () => {
  it('leaves a hole that Redis does not load (trap 26), and that is closed without a loss', async () => {
    const disk = new SmallDisk()
    disk.start()
    const redis = await disk.redis()
    await redis.set('before', '1')
    // From now on its file is one that it began itself.
    await redis.bgrewriteaof()
    await until('it writes to another file', 5000, async () =>
      /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/.test(await redis.info('persistence')),
    )
    // Room for a part of the next value only.
    writeFileSync(disk.filler, Buffer.alloc(300 * 1024, 1))
    const value = 'v'.repeat(1000)
    const kept = new Set<string>()
    for (let i = 0; i < 1000; i++) {
      const key = `key${i}`
      const took = await redis.set(key, value).then(
        () => true,
        () => false,
      )
      if (!took) break
      kept.add(key)
    }
    expect(await redis.info('persistence')).toContain('aof_last_write_status:err')
    rmSync(disk.filler)
    await until('Redis writes again', 5000, async () => {
      await redis.set('after', '1')
      return /aof_last_write_status:ok/.test(await redis.info('persistence'))
    })
    await disk.kill()

    disk.start()
    await until('Redis has ended', 5000, () => disk.ended)
    expect(disk.log).toContain('Bad file format reading the append only file')

    expect(await closeHoles(join(disk.folder, 'data'))).toBeGreaterThan(0)
    expect(
      readdirSync(join(disk.folder, 'data/appendonlydir')).filter((name) => /mended/.test(name)),
    ).toEqual([])
    disk.start()
    const again = await disk.redis()
    await until('it is loaded', 5000, async () => (await again.get('after')) === '1')
    expect(await again.get('before')).toBe('1')
    for (const key of kept) expect(await again.get(key)).toBe(value)
    expect(await closeHoles(join(disk.folder, 'data'))).toBe(0)
  })
})
