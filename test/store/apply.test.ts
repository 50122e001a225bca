import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keysUnder } from '../../src/store/keys.ts'
import { startStore } from '../support/redis.ts'

let store: Awaited<ReturnType<typeof startStore>>
let network: Redis
let keys: ReturnType<typeof keysUnder>
let hosts = 0

beforeAll(async () => {
  store = await startStore()
  network = await store.as()
  keys = keysUnder(store.secrets.prefix)
})
afterAll(() => store.stop())

/** An agent of its own that has said hello. */
async function agent() {
  const host = `leaf${++hosts}`
  const call = (name: string, ...args: (string | number)[]) =>
    network.call('FCALL', name, 0, host, ...args) as Promise<string[]>
  await call('netq_hello', 'aa', 'bb', 1000)
  const state = async () => {
    const hash = await store.admin.hgetall(keys.state('link', host))
    return Object.fromEntries(Object.entries(hash).map(([key, text]) => [key, text.replace(/^\d+ \d+ /, '')]))
  }
  const log = async () => {
    const entries = (await store.admin.xrange(keys.log, '-', '+')) as [string, string[]][]
    return entries.filter(([, fields]) => fields[1] === host).map(([, f]) => `${f[3]}>${f[5]} ${f[9]}`)
  }
  return {
    host,
    call,
    state,
    log,
    apply: (prev: number, seq: number, payload: string) => call('netq_apply', 'bb', prev, seq, 2000, payload),
  }
}

/** The entries of the statistics of a host. */
async function statsOf(host: string): Promise<Record<string, string>[]> {
  const entries = (await store.admin.xrange(keys.stats, '-', '+')) as [string, string[]][]
  const pairs = (fields: string[]) =>
    fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1]!]] : []))
  return entries.map(([, fields]) => Object.fromEntries(pairs(fields))).filter(({ h }) => h === host)
}

describe('netq_apply', () => {
  test('applies the batch that follows the mark, to the state and to the log', async () => {
    const { apply, state, log } = await agent()
    expect((await apply(0, 1, 'P\tlink\tswp1\t{"mtu":1}\nP\tlink\tswp2\t{"mtu":2}')).slice(0, 2)).toEqual([
      'OK',
      '1',
    ])
    expect((await apply(1, 2, 'D\tlink\tswp2')).slice(0, 2)).toEqual(['OK', '2'])
    expect(await state()).toEqual({ swp1: '{"mtu":1}' })
    expect(await log()).toEqual([
      '0>1 P\tlink\tswp1\t{"mtu":1}\nP\tlink\tswp2\t{"mtu":2}',
      '1>2 D\tlink\tswp2',
    ])
  })

  test('carries several changes of a row out in their order, and logs for each the row before', async () => {
    const { host, apply, state, log } = await agent()
    const lines = [
      'P\tlink\tswp1\t{"mtu":1}',
      'P\tlink\tswp1\t{"mtu":2}',
      'D\tlink\tswp1',
      'P\tlink\tswp1\t{"mtu":3}',
    ]
    await apply(0, 1, `${lines.join('\n')}\n`)
    expect(await state()).toEqual({ swp1: '{"mtu":3}' })
    expect(await log()).toEqual([`0>1 ${lines.join('\n')}`])
    const entries = (await store.admin.xrange(keys.log, '-', '+')) as [string, string[]][]
    const fields = entries.find(([, [, name]]) => name === host)![1]
    expect(fields[fields.indexOf('o') + 1]).toBe('\n{"mtu":1}\n{"mtu":2}\n')
  })

  test('answers a batch that it has with its mark, and changes nothing', async () => {
    const { apply, state, log } = await agent()
    await apply(0, 1, 'P\tlink\tswp1\t{"mtu":1}')
    expect((await apply(0, 1, 'P\tlink\tswp1\t{"mtu":9}')).slice(0, 2)).toEqual(['KNOWN', '1'])
    expect(await state()).toEqual({ swp1: '{"mtu":1}' })
    expect(await log()).toHaveLength(1)
  })

  test('answers a batch that does not follow with the mark that it has to follow', async () => {
    const { apply, state } = await agent()
    await apply(0, 1, 'P\tlink\tswp1\t{"mtu":1}')
    expect((await apply(2, 3, 'P\tlink\tswp1\t{"mtu":9}')).slice(0, 2)).toEqual(['GAP', '1'])
    expect(await state()).toEqual({ swp1: '{"mtu":1}' })
  })

  test('takes a gap as one step over all its numbers, and writes down why', async () => {
    const { apply, log } = await agent()
    await apply(0, 1, 'P\tlink\tswp1\t{"mtu":1}')
    expect((await apply(1, 7, 'G\t2\t7\tthe spool was full')).slice(0, 2)).toEqual(['OK', '7'])
    expect(await log()).toContain('1>7 G\t2\t7\tthe spool was full')
  })

  test('a full reading deletes what is gone, keeps the times of what did not change, and logs only changes', async () => {
    const { host, apply, state, log } = await agent()
    await apply(0, 1, 'P\tlink\ta\t{"mtu":1}\nP\tlink\tb\t{"mtu":2}\nP\tlink\tc\t{"mtu":3}')
    const before = await store.admin.hget(keys.state('link', host), 'a')
    await apply(1, 2, 'B\tlink\nS\tlink\ta\t{"mtu":1}')
    await apply(2, 3, 'S\tlink\tb\t{"mtu":22}\nE\tlink')
    expect(await state()).toEqual({ a: '{"mtu":1}', b: '{"mtu":22}' })
    expect(await store.admin.hget(keys.state('link', host), 'a')).toBe(before)
    expect((await log()).slice(1)).toEqual(['2>3 P\tlink\tb\t{"mtu":22}\nD\tlink\tc'])
  })

  test('a full reading of which a gap took a part deletes nothing', async () => {
    const { apply, state } = await agent()
    await apply(0, 1, 'P\tlink\ta\t{"mtu":1}\nP\tlink\tb\t{"mtu":2}')
    await apply(1, 2, 'B\tlink\nS\tlink\ta\t{"mtu":1}')
    await apply(2, 3, 'G\t3\t3\tthe spool was full')
    await apply(3, 4, 'S\tlink\tc\t{"mtu":3}\nE\tlink')
    expect(Object.keys(await state()).sort()).toEqual(['a', 'b', 'c'])
    await apply(4, 5, 'E\tlink')
    expect(Object.keys(await state()).sort()).toEqual(['a', 'b', 'c'])
  })

  test('appends the samples of a batch to the statistics once, as one entry, and leaves state and log alone', async () => {
    const { host, apply, state, log } = await agent()
    const samples =
      'A\tinterface-stats\tswp1\t{"rx_bytes":18014398509481985}\nA\tinterface-stats\tswp2.100\t{}'
    await apply(0, 1, samples)
    await apply(0, 1, samples)
    expect(await statsOf(host)).toMatchObject([{ d: 'swp1\t{"rx_bytes":18014398509481985}\nswp2.100\t{}' }])
    expect(await state()).toEqual({})
    expect(await log()).toEqual([])
  })

  test("corrects the samples' time by a skew of more than 5 s, by the same while that only wavers", async () => {
    const { host, call } = await agent()
    const sample = 'A\tinterface-stats\tswp1\t{}'
    const times = async (behindMs: number, session: string, seq: number) => {
      const now = Date.now()
      await call('netq_hello', 'aa', session, now - behindMs)
      await call('netq_apply', session, seq - 1, seq, now - 60_000 - behindMs, sample)
      return Number((await statsOf(host)).at(-1)!.t) - (now - 60_000)
    }
    expect(await times(4000, 'e1', 1)).toBe(-4000)
    const first = await times(20_000, 'e2', 2)
    expect(Math.abs(first)).toBeLessThan(900)
    // The clock is 300 ms further behind, or so it seems: the correction stays, so the time is 300 ms earlier.
    expect(await times(20_300, 'e3', 3)).toBe(first - 300)
    expect(await times(0, 'e4', 4)).toBe(0)
  })

  test('takes no sample to be of the future', async () => {
    const { host, call } = await agent()
    await call('netq_hello', 'aa', 'ee', Date.now())
    await call('netq_apply', 'ee', 0, 1, Date.now() + 3_600_000, 'A\tinterface-stats\tswp1\t{}')
    expect(Math.abs(Number((await statsOf(host))[0]!.t) - Date.now())).toBeLessThan(2000)
  })

  test.each([
    ['an empty payload', ''],
    ['a sample of another table', 'A\tlink\tswp1\t{"rx_bytes":1}'],
    ['a sample of an interface with a space', 'A\tinterface-stats\tswp 1\t{"rx_bytes":1}'],
    ['a sample that would need an escape', 'A\tinterface-stats\tswp1\t{"a":"\\n"}'],
    ['a sample that is not JSON', 'A\tinterface-stats\tswp1\t{"rx_bytes":}'],
    ['an unknown change', 'X\tlink\tswp1\t{}'],
    ['a row that is not JSON', 'P\tlink\tswp1\t{"mtu":}'],
    ['a row that is no object', 'P\tlink\tswp1\t[1]'],
    ['a change without a key', 'P\tlink\t{"mtu":1}'],
    ['a table that is no name', 'P\t../../x\tswp1\t{"mtu":1}'],
    ['a number that is none in JSON', 'P\tlink\tswp1\t{"mtu":NaN}'],
    ['a raw control character in a row', 'P\tlink\tswp1\t{"mtu":"\u0001"}'],
    ['more than a thousand lines', 'D\tlink\tx\n'.repeat(1001)],
    ['the ends of two full readings', 'B\tlink\nE\tlink\nB\tlink\nE\tlink'],
    ['text after the row', 'P\tlink\tswp1\t{"mtu":1} {"mtu":2}'],
  ])('refuses %s with a reason, whole, and nothing of it is applied', async (_, line) => {
    const { apply, state, log } = await agent()
    await apply(0, 1, 'P\tlink\tswp1\t{"mtu":1}')
    const payload = line === '' ? '' : `P\tlink\tswp1\t{"mtu":7}\n${line}`
    await expect(apply(1, 2, payload)).rejects.toThrow(/REFUSED .+/)
    expect(await state()).toEqual({ swp1: '{"mtu":1}' })
    expect(await log()).toHaveLength(1)
    expect((await apply(1, 2, 'D\tlink\tswp1')).slice(0, 2)).toEqual(['OK', '2'])
  })

  test.each([
    ['x', 2],
    [1, 'y'],
    [-1, 2],
    [2, 2],
    [1.5, 2],
  ])('refuses the numbers %s and %s', async (prev, seq) => {
    const { call } = await agent()
    await expect(call('netq_apply', 'bb', prev, seq, 2000, 'D\tlink\tswp1')).rejects.toThrow(/REFUSED/)
  })

  test('whatever bytes come, the state is only ever a row or nothing', async () => {
    const { apply, state } = await agent()
    let mark = 0
    const piece = fc.oneof(
      fc.constantFrom('P', 'D', 'S', 'B', 'E', 'G', '\t', '\n', 'link', 'k', '{"a":1}', '{}', '{', '\0'),
      fc.string(),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        const answer = await apply(mark, mark + 1, pieces.join('')).catch((error: Error) => {
          expect(error.message).toMatch(/REFUSED/)
        })
        if (answer) mark = Number(answer[1])
        for (const row of Object.values(await state())) expect(typeof JSON.parse(row)).toBe('object')
      }),
      { numRuns: 400 },
    )
  })

  test('any order and repetition of the same batches ends in the same log, each once and in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 40 }),
        async (sends) => {
          const { apply, log } = await agent()
          let mark = 0
          for (const seq of sends)
            mark = Number((await apply(seq - 1, seq, `P\tlink\tswp${seq}\t{"mtu":${seq}}`))[1])
          const seqs = (await log()).map((entry) => Number(/>(\d+) /.exec(entry)![1]))
          expect(seqs).toEqual(Array.from({ length: mark }, (_, i) => i + 1))
        },
      ),
      { numRuns: 60 },
    )
  })
})

test('a heartbeat that is not JSON for everyone is refused', async () => {
  const { call } = await agent()
  for (const info of ['{"version":NaN}', '{"a":"\n"}', '{']) {
    await expect(call('netq_beat', 'bb', 1000, info), info).rejects.toThrow(/REFUSED/)
  }
})

describe('who writes for a host', () => {
  test('a second agent of the same name is refused while the first lives', async () => {
    const { call } = await agent()
    await expect(call('netq_hello', 'cc', 'dd', 1000)).rejects.toThrow(
      /NAMEINUSE another agent calls itself leaf\d+/,
    )
  })

  test('what an earlier connection still has on the way is refused once the next one has said hello', async () => {
    const { apply, call, state } = await agent()
    await call('netq_hello', 'aa', 'ee', 1000)
    await expect(apply(0, 1, 'P\tlink\tswp1\t{"mtu":1}')).rejects.toThrow(/FOREIGN/)
    expect(await state()).toEqual({})
  })
})

describe('what the network may do', () => {
  test('it can call the functions for agents, and read through them', async () => {
    const { host, apply } = await agent()
    await apply(0, 1, 'P\tlink\tswp1\t{"mtu":1}')
    expect(await network.call('FCALL_RO', 'netq_hosts', 0)).toContain(host)
    const [key, text] = (await network.call('FCALL_RO', 'netq_rows', 0, 'link', host)) as string[]
    expect([key, text?.replace(/^\d+ \d+ /, '')]).toEqual(['swp1', '{"mtu":1}'])
  })

  test('it cannot call the functions for cts-auth', async () => {
    await expect(network.call('FCALL', 'netq_cluster', 0, 'x', '1', '127.0.0.1')).rejects.toThrow(
      /can't access/,
    )
    await expect(
      network.call('FCALL', 'netq_marker', 0, '9', '0', '0', 'why', '1.2.3.4', 'master'),
    ).rejects.toThrow(/can't access/)
    expect(await store.admin.hgetall(keys.cluster)).toEqual({})
  })

  test('no other command that Redis has lets it write, list, read or administer', async () => {
    const commands = (await store.admin.call('COMMAND')) as [string, number, ...unknown[]][]
    const allowed = new Set<string>()
    const subcommands = (await store.admin.call('COMMAND', 'LIST')) as string[]
    for (const name of subcommands) {
      const words = name.split('|')
      const arity = Math.abs(commands.find(([known]) => known === words[0])?.[1] ?? 1)
      // As many words as the command needs at least, and a few more: some take keys only behind an option.
      for (const extra of [0, 1, 2, 3]) {
        const rest = Array.from({ length: Math.max(0, arity - words.length) + extra }, () => 'nq:guess')
        const verdict = await store.admin
          .call('ACL', 'DRYRUN', 'default', ...words, ...rest)
          .catch(() => 'refused')
        if (verdict === 'OK') allowed.add(name)
      }
    }
    // AUTH, HELLO, QUIT and RESET are anybody's in Redis, and change nothing but the connection.
    expect([...allowed].sort()).toEqual([
      'auth',
      'fcall',
      'fcall_ro',
      'hello',
      'ping',
      'quit',
      'reset',
      'role',
      'time',
      'wait',
    ])
  })

  test('it cannot see the names of keys, nor the source of the functions', async () => {
    for (const command of [
      ['KEYS', '*'],
      ['SCAN', '0'],
      ['RANDOMKEY'],
      ['FUNCTION', 'LIST', 'WITHCODE'],
      ['FUNCTION', 'DUMP'],
      ['ACL', 'LIST'],
      ['MONITOR'],
      ['CONFIG', 'GET', '*'],
    ]) {
      await expect(network.call(command[0]!, ...command.slice(1)), command.join(' ')).rejects.toThrow(
        /NOPERM/,
      )
    }
  })
})
