import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SettingsKeeper, stepOf } from '../../src/notifier/settings.ts'
import { NotifierStore, Stale } from '../../src/notifier/store.ts'
import { makeLog } from '../../src/platform/log.ts'
import { type Paths, pathsUnder } from '../../src/platform/paths.ts'
import { keysUnder } from '../../src/store/keys.ts'
import { startStore } from '../support/redis.ts'

let redis: Awaited<ReturnType<typeof startStore>>
let store: NotifierStore
let folder: string
let servers: { paths: Paths; keeper: SettingsKeeper }[]

const open = () => NotifierStore.open(redis.address!, redis.secrets, undefined)

beforeAll(async () => {
  redis = await startStore()
  store = await open()
})
afterAll(async () => {
  store.close()
  await redis.stop()
})
beforeEach(async () => {
  await redis.admin.del(keysUnder(redis.secrets.prefix).settings)
  folder = mkdtempSync(join(tmpdir(), 'ns-'))
  servers = ['ts01', 'ts02'].map((name) => {
    const paths = pathsUnder(join(folder, name))
    mkdirSync(dirname(paths.netqConfig), { recursive: true })
    return { paths, keeper: new SettingsKeeper(paths, makeLog('test', 'error')) }
  })
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const filters = (name: string) => `notifier-filters:\n  - name: ${name}\n    output: [None]\n`
const write = (i: number, text: string) => writeFileSync(servers[i]!.paths.netqConfig, text)
const read = (i: number) => readFileSync(servers[i]!.paths.netqConfig, 'utf8')
const look = async (i: number) => (await servers[i]!.keeper.look(store, open)).filters.map(({ name }) => name)

describe('settings of all servers', () => {
  test('without any, everything goes everywhere, and no file is made', async () => {
    expect(await look(0)).toEqual(['default'])
    expect(readdirSync(dirname(servers[0]!.paths.netqConfig))).toEqual([])
  })

  test('what is written on one server is taken by the other, which keeps its own sections and comments', async () => {
    write(0, filters('a'))
    write(1, '# mine\nnetq-agent:\n  servers: [127.0.0.1]\n')
    expect([await look(0), await look(1), await look(0)]).toEqual([['a'], ['a'], ['a']])
    expect(read(1)).toMatch(/^# mine\nnetq-agent:[\s\S]*name: a/)
    write(1, read(1).replace('name: a', 'name: b'))
    expect([await look(1), await look(0), await look(1)]).toEqual([['b'], ['b'], ['b']])
    expect((await store.settings()).version).toBe(2)
  })

  test('the file that they are written to is not for everybody', async () => {
    write(0, filters('a'))
    await look(0)
    await look(1)
    expect(statSync(servers[1]!.paths.netqConfig).mode & 0o007).toBe(0)
  })

  test('a mistake leaves what is in force, on this server and on the others', async () => {
    write(0, filters('a'))
    await look(0)
    write(0, 'notifier-filters:\n  - {name: b, rul: {}}\n')
    expect(await look(0)).toEqual(['a'])
    expect(servers[0]!.keeper.mistakes.join()).toMatch(/netq\.yml, line 2: .*`rul` is not known/)
    expect(await look(1)).toEqual(['a'])
    write(0, filters('b'))
    expect(await look(0)).toEqual(['b'])
    expect(servers[0]!.keeper.mistakes).toEqual([])
  })

  test('when two were changed at once, the first one is in force and the other file is kept beside', async () => {
    write(0, filters('a'))
    await look(0)
    await look(1)
    write(0, filters('b'))
    write(1, filters('c'))
    expect([await look(0), await look(1)]).toEqual([['b'], ['b']])
    const kept = readdirSync(dirname(servers[1]!.paths.netqConfig)).filter((name) =>
      /^netq\.yml\.\d/.test(name),
    )
    expect(kept).toHaveLength(1)
    expect(readFileSync(join(dirname(servers[1]!.paths.netqConfig), kept[0]!), 'utf8')).toContain('name: c')
  })

  test('taking all sections out is a change as well', async () => {
    write(0, filters('a'))
    await look(0)
    await look(1)
    write(1, '# none\n')
    expect([await look(1), await look(0)]).toEqual([['default'], ['default']])
    expect(read(0)).not.toContain('notifier-filters')
  })

  test('a file that is gone or empty is written again: nobody loses the settings of all servers by it', async () => {
    write(0, filters('a'))
    await look(0)
    for (const lose of [() => rmSync(servers[0]!.paths.netqConfig), () => write(0, '')]) {
      lose()
      expect(await look(0)).toEqual(['a'])
      expect(read(0)).toContain('name: a')
    }
    expect((await store.settings()).version).toBe(1)
  })

  test('a file that cannot be read or written leaves the settings of all servers in force, and is told', async () => {
    write(0, filters('a'))
    await look(0)
    const { keeper, paths } = servers[1]!
    mkdirSync(`${paths.netqConfig}.${process.pid}.new`)
    expect(await look(1)).toEqual(['a'])
    expect(keeper.mistakes.join()).toMatch(/netq\.yml could not be compared .*EISDIR/)
    rmSync(`${paths.netqConfig}.${process.pid}.new`, { recursive: true })
    mkdirSync(paths.netqConfig)
    expect(await look(1)).toEqual(['a'])
    expect(keeper.mistakes.join()).toMatch(/EISDIR/)
    rmSync(paths.netqConfig, { recursive: true })
    expect(await look(1)).toEqual(['a'])
    expect(keeper.mistakes).toEqual([])
  })

  test('two processes of one server that look at the same time undo nothing', async () => {
    const { paths, keeper } = servers[0]!
    const other = new SettingsKeeper(paths, makeLog('test', 'error'))
    write(0, filters('f0'))
    await look(0)
    for (let n = 1; n <= 100; n++) {
      const text = JSON.stringify({ 'notifier-filters': [{ name: `f${n}`, output: ['None'] }] })
      expect(await store.publish(n, text)).toBe(n + 1)
      const now = await store.settings()
      const local = { settings: async () => now } as NotifierStore
      const first = other.look(local, open)
      // At every place where the one waits, the other begins.
      for (let i = 0; i < n; i++) await undefined
      await Promise.all([first, keeper.look(local, open)])
      expect(await store.settings()).toEqual({ version: n + 1, text })
      expect(read(0)).toContain(`name: f${n}`)
    }
    expect(readdirSync(dirname(paths.netqConfig))).toEqual(['netq.yml'])
  })

  test('somebody who did not see the newest settings changes nothing', async () => {
    await store.publish(0, '{}')
    await expect(store.publish(0, '{"a":1}')).rejects.toThrow(Stale)
    expect(await store.settings()).toEqual({ version: 1, text: '{}' })
  })
})

test('every case of file, store and what they agreed on', () => {
  const digestOf = (text: string) => {
    // Whatever 'agree' would note for this text: found by asking when the two are the same.
    expect(stepOf(text, text, '')).toBe('agree')
    return text
  }
  expect(digestOf('x')).toBe('x')
  expect(stepOf('', undefined, '')).toBe('agree')
  expect(stepOf('x', undefined, '')).toBe('publish')
  expect(stepOf('', 'x', '')).toBe('adopt')
  expect(stepOf('y', 'x', '')).toBe('conflict')
})
