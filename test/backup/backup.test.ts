import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { LabServer } from '../../lab/server.ts'
import { backupsOf, nameOf } from '../../src/backup/files.ts'
import { makeRoom, outdated } from '../../src/backup/keep.ts'
import { readSecrets } from '../../src/config/secrets.ts'
import { keysUnder } from '../../src/store/keys.ts'
import { REDIS_PORT } from '../../src/store/names.ts'
import { adminOf } from '../support/admin.ts'
import { Remembering, runOn, spawnOn } from '../support/backups.ts'
import { TestCluster } from '../support/cluster.ts'
import { until } from '../support/until.ts'

const DAY_MS = 86_400_000

describe('what is kept', () => {
  const file = (ageMs: number) => {
    const time = Date.now() - ageMs
    return { path: `/b/${ageMs}`, name: nameOf('master', time), role: 'master' as const, time, bytes: 100 }
  }

  test('is so many, and none that is too old but the newest', () => {
    const files = [3, 4, 5, 9].map((days) => file(days * DAY_MS))
    const gone = (keep: number, days: number) =>
      outdated(files, { keep, maxAgeMs: days * DAY_MS }, Date.now() + 1).map(({ path }) => path)
    expect(gone(9, 30)).toEqual([])
    expect(gone(3, 30)).toEqual([files[3]!.path])
    expect(gone(9, 4)).toEqual(files.slice(1).map(({ path }) => path))
    expect(gone(9, 1)).toEqual(files.slice(1).map(({ path }) => path))
  })

  test('makes room, the oldest first, and is not touched where that would not help', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'k-'))
    const files = [1, 2, 3].map((days) => ({ ...file(days * DAY_MS), path: join(folder, String(days)) }))
    for (const { path } of files) writeFileSync(path, 'x')
    const need = (bytes: number) => makeRoom([{ folder, bytes }], files, async () => 1000)
    expect(await need(1000)).toEqual([])
    expect(await need(1050)).toEqual([files[2]])
    writeFileSync(files[2]!.path, 'x')
    await expect(need(1201)).rejects.toThrow(
      /^there is no room for a backup: it takes up to 1.2 kB on the disk of .*, which has 1.0 kB to spare\. Nothing was changed; make room there$/,
    )
    expect(readdirSync(folder).sort()).toEqual(['1', '2', '3'])
    rmSync(folder, { recursive: true })
  })
})

describe('on a single server', () => {
  let cluster: TestCluster
  let agents: Remembering
  let others: Remembering | undefined
  let server: LabServer
  beforeAll(async () => {
    cluster = new TestCluster()
    cluster.servers.splice(1)
    server = cluster.servers[0]!
    agents = new Remembering()
    await cluster.start()
    agents.start(cluster.folder, cluster.addresses)
    await until('changes are acknowledged', 20_000, () => agents.acknowledged() > 200)
  })
  afterEach(() => others?.stop())
  afterAll(async () => {
    await agents.stop()
    await cluster.end()
  })

  const restore = (...words: string[]) => cluster.netq('ts01', 'config', 'ts', 'restore', ...words)
  const names = () => backupsOf(server.paths).map(({ name }) => name)
  const config = (text: string) => {
    mkdirSync(join(server.paths.netqConfig, '..'), { recursive: true })
    writeFileSync(server.paths.netqConfig, text)
  }
  /** Agents of one test, which are acknowledged something. */
  const load = async (name: string) => {
    others = new Remembering()
    others.start(cluster.folder, cluster.addresses, 2, name)
    await until('changes are acknowledged', 20_000, () => others!.acknowledged() > 100)
    return others
  }
  /** Another time stamp than that of the backup before: they are named by the second. */
  const nextSecond = () => {
    const last = backupsOf(server.paths)[0]?.time ?? 0
    return until('another second', 3000, () => Date.now() >= last + 1000)
  }

  test('the newest is in one folder, the earlier ones in another; nobody else can read them', async () => {
    expect(await runOn(server, 'cts-backup')).toMatchObject({ status: 0 })
    const [first] = names()
    expect(first).toMatch(/^appendonly\.aof_master_\d{4}-\d\d-\d\d_\d{6}\.gz$/)
    await nextSecond()
    expect(await runOn(server, 'cts-backup')).toMatchObject({ status: 0 })
    const [second] = names()
    const { backup, earlierBackups, backupLog, scratch } = server.paths
    expect(readdirSync(backup)).toEqual([second])
    expect(readdirSync(earlierBackups)).toEqual([first])
    expect(statSync(join(backup, second!)).mode & 0o007).toBe(0)
    expect(readdirSync(scratch)).toEqual([])
    const lines = readFileSync(backupLog, 'utf8').trim().split('\n')
    expect(lines).toEqual([first, second].map((name) => expect.stringContaining(`INFO: made ${name}: `)))
    const { out } = await cluster.netq('ts01', 'config', 'ts', 'show', 'backups')
    expect(out).toMatch(/^File +Made +On The +Size +Why\n-/)
    expect(out.match(/appendonly\.aof_master_\S+ +\d+s ago +master +[\d.]+ k?B +backup$/gm)).toHaveLength(2)
  })

  test('the settings are held to: how often, where, how many', async () => {
    const before = names()
    expect(await runOn(server, 'cts-backup', '--due')).toMatchObject({ status: 0, err: '' })
    expect(names()).toEqual(before)
    config('netq-backup: {interval: 4m}\n')
    const refused = await runOn(server, 'cts-backup')
    expect(refused.err).toMatch(
      /ERROR: no backup was made: .*line 1: `interval` must be a time of 5m or more/,
    )
    expect(refused.status).toBe(1)
    config('netq-backup: {keep: 1, on: master}\n')
    await nextSecond()
    expect(await runOn(server, 'cts-backup')).toMatchObject({ status: 0 })
    expect(names()).toHaveLength(1)
    config('')
  })

  test('of two at once one waits for nothing, and a killed one leaves nothing half', async () => {
    await nextSecond()
    const both = await Promise.all([runOn(server, 'cts-backup'), runOn(server, 'cts-backup')])
    const statuses = both.map(({ status }) => status)
    if (statuses.includes(1)) {
      expect(both.find(({ status }) => status === 1)!.err).toMatch(
        /is in use by process \d+; nothing was changed: another cts-backup is running/,
      )
    }
    expect(statuses).toContain(0)
    const before = names()
    const child = spawnOn(server, 'cts-backup')
    const gone = new Promise((resolve) => child.once('exit', resolve))
    const { scratch, backup } = server.paths
    await until('its scratch Redis runs', 10_000, () =>
      readdirSync(scratch).some((name) => existsSync(join(scratch, name, 'log'))),
    )
    child.kill('SIGKILL')
    await gone
    expect(names()).toEqual(before)
    await nextSecond()
    expect(await runOn(server, 'cts-backup')).toMatchObject({ status: 0 })
    expect(names().slice(1)).toEqual(before)
    expect(readdirSync(backup)).toEqual([names()[0]])
    expect(readdirSync(scratch)).toEqual([])
  })

  test('what is no whole backup of this version is refused before anything is touched', async () => {
    const [good] = backupsOf(server.paths)
    const bytes = readFileSync(good!.path)
    const folder = join(cluster.folder, 'others')
    mkdirSync(folder)
    const plain = gunzipSync(bytes)
    const [set, get] = ['*3\r\n$3\r\nSET\r\n$3\r\nfoo\r\n$3\r\nbar\r\n', '*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n']
    const key = keysUnder(readSecrets(server.paths)!.prefix).cluster
    const other = `*4\r\n$4\r\nHSET\r\n$${key.length}\r\n${key}\r\n$6\r\nformat\r\n$2\r\n99\r\n`
    const cases: [name: string, content: Buffer | string, sentence: RegExp][] = [
      [
        'cut.gz',
        bytes.subarray(0, bytes.length - 50),
        /is cut off: it ends in the middle\. Nothing was changed\.\n/,
      ],
      ['text.gz', 'not a backup', /is not a backup: it is no gzip file\. Nothing was changed\.\n/],
      [
        'letter.gz',
        gzipSync('Dear operator'),
        /what is packed in it are not the data of a Redis\. Nothing was/,
      ],
      [
        'short.gz',
        gzipSync(plain.subarray(0, plain.length - 9)),
        /cannot be loaded: it ends in the middle\. Nothing/,
      ],
      [
        'app.gz',
        gzipSync(get + set),
        /is not a backup of netq: it holds the key "foo"\. Nothing was changed/,
      ],
      [
        'new.gz',
        gzipSync(Buffer.concat([plain, Buffer.from(other)])),
        /format 99, and this version reads 1\)\. Nothing/,
      ],
      ['away.gz', '', /is not there\. Nothing was changed/],
    ]
    const held = await agents.marksIn(server)
    for (const [name, content, sentence] of cases) {
      if (content !== '') writeFileSync(join(folder, name), content)
      const { out, status } = await restore(join(folder, name), 'yes')
      expect(out, name).toMatch(sentence)
      expect(status, name).toBe(1)
    }
    const { out } = await restore('nothing.gz')
    expect(out).toMatch(/^nothing\.gz is no backup of this server.*Nothing was changed.*show backups\.?\n/)
    for (const [host, mark] of await agents.marksIn(server))
      expect(mark).toBeGreaterThanOrEqual(held.get(host)!)
    expect(readdirSync(server.paths.scratch)).toEqual([])
  })

  test('a restore brings the state back, also into a server with other secrets', async () => {
    const mine = await load('kept')
    await nextSecond()
    const whole = await mine.marksIn(server)
    expect(await runOn(server, 'cts-backup')).toMatchObject({ status: 0 })
    const [{ path, name }] = backupsOf(server.paths) as [ReturnType<typeof backupsOf>[0]]
    const asOf = await mine.marksIn(server)
    const before = mine.acknowledged()
    await until('more changes', 15_000, () => mine.acknowledged() > before + 100)
    const { out, status } = await restore(name, 'yes')
    expect(out).toMatch(new RegExp(`${name} is restored: ${server.address} has it\\.\n$`))
    expect(status).toBe(0)
    mine.quiet()
    await mine.caughtUp()
    expect(await mine.faultsIn(server, whole)).toEqual([])

    // The append only file says so too: what several writes at once left in it, the marks among it, is loaded as it was.
    const marker = async () => {
      const { prefix } = readSecrets(server.paths)!
      return Number(await adminOf(server, REDIS_PORT, 'HGET', keysUnder(prefix).cluster, 'marker-n'))
    }
    const marked = await marker()
    await server.services.kill('redis')
    await until('Redis is back', 15_000, async () => (await marker()) >= marked)
    expect(await mine.faultsIn(server, whole)).toEqual([])

    const other = new TestCluster()
    other.servers.splice(1)
    const [empty] = other.servers as [LabServer]
    try {
      await other.start()
      await until('it is a server', 15_000, async () => (await other.allOk(empty)) === true)
      const answer = await other.netq('ts01', 'config', 'ts', 'restore', path, 'yes')
      expect(answer.out).toMatch(/is restored: \S+ has it\.\n$/)
      for (const [host, mark] of await mine.marksIn(empty)) {
        expect(mark).toBeGreaterThanOrEqual(whole.get(host)!)
        expect(mark).toBeLessThanOrEqual(asOf.get(host)!)
      }
      const keys = (await adminOf(empty, REDIS_PORT, 'KEYS', '*')) as string[]
      const { prefix } = readSecrets(empty.paths)!
      expect(keys.filter((key) => !key.startsWith(prefix))).toEqual([])
    } finally {
      await other.end()
    }
  })

  test("the page's way: stop, put the file into the data directory, start", async () => {
    const mine = await load('page')
    await nextSecond()
    const whole = await mine.marksIn(server)
    expect(await runOn(server, 'cts-backup')).toMatchObject({ status: 0 })
    const [made] = backupsOf(server.paths)
    const before = mine.acknowledged()
    await until('more changes', 15_000, () => mine.acknowledged() > before + 100)
    await server.stop()
    const { redisData } = server.paths
    rmSync(join(redisData, 'appendonlydir'), { recursive: true })
    writeFileSync(
      join(redisData, 'appendonly.aof'),
      execFileSync('gunzip', ['-c', made!.path], { maxBuffer: 1 << 28 }),
    )
    await server.start()
    await until('changes are taken again', 20_000, () => mine.acknowledged() > before + 400)
    mine.quiet()
    await mine.caughtUp()
    expect(await mine.faultsIn(server, whole)).toEqual([])
  })
})
