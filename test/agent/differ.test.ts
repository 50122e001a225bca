import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Differ } from '../../src/agent/differ.ts'
import type { Row } from '../../src/tables/table.ts'
import { sampleTable } from './helpers.ts'

const table = sampleTable('port', ['true'])
const row = (name: string, size: number): Row => ({ size, name })

it('a full reading begins, says every row in declared field order, and ends', () => {
  expect(new Differ().full(table, [row('swp1', 1), row('swp2', 2)])).toEqual([
    'B\tport\nS\tport\tswp1\t{"name":"swp1","size":1}\nS\tport\tswp2\t{"name":"swp2","size":2}\nE\tport',
  ])
  expect(new Differ().full(table, [])).toEqual(['B\tport\nE\tport'])
})

it('changes are what is new, different or gone, and nothing if there is none', () => {
  const differ = new Differ()
  differ.full(table, [row('a', 1), row('b', 2), row('c', 3)])
  expect(differ.changes(table, [row('c', 3), row('a', 1), row('b', 2)])).toEqual([])
  expect(differ.changes(table, [row('a', 1), row('b', 9), row('d', 4)])).toEqual([
    'D\tport\tc\nP\tport\tb\t{"name":"b","size":9}\nP\tport\td\t{"name":"d","size":4}',
  ])
  expect(differ.changes(table, [])).toEqual(['D\tport\ta\nD\tport\tb\nD\tport\td'])
})

it('the first reading of a table is a full one', () => {
  expect(new Differ().changes(table, [row('a', 1)])).toEqual(new Differ().full(table, [row('a', 1)]))
})

it('the last of two rows with one key counts, in every order of reading again', () => {
  const differ = new Differ()
  expect(differ.full(table, [row('a', 1), row('a', 2)])[0]).toContain('\t{"name":"a","size":2}\nE')
  expect(differ.changes(table, [row('a', 2)])).toEqual([])
})

it('a large reading is split within 500 lines and 256 KB, and only the last part ends it', () => {
  const many = Array.from({ length: 1200 }, (_, i) => row(`p${i}`, i))
  const parts = new Differ().full(table, many)
  expect(parts.map((part) => part.split('\n').length)).toEqual([500, 500, 202])
  expect(parts[0]).toMatch(/^B\tport\n/)
  expect(parts.map((part) => part.endsWith('E\tport'))).toEqual([false, false, true])
  const wide = { ...table, keys: ['size'] }
  const heavy = Array.from({ length: 20 }, (_, i) => row('ä'.repeat(30_000), i))
  for (const part of new Differ().full(wide, heavy))
    expect(Buffer.byteLength(part)).toBeLessThanOrEqual(256 * 1024)
})

it.each([
  [{ name: 'a' }, 'a row of table port has no usable size: {"name":"a"}; the rows stay as they were'],
  [{ name: 'a', size: Number.NaN }, 'has no usable size'],
  [{ name: 'a', size: 1, speed: 2 }, 'has the undeclared field speed'],
  [{ name: '', size: 1 }, 'has a key of 0 characters'],
])('the row %j is refused, and what was known stays', (bad, sentence) => {
  const differ = new Differ()
  differ.full(table, [row('a', 1)])
  expect(() => differ.changes(table, [row('z', 1), bad as unknown as Row])).toThrow(sentence)
  expect(differ.changes(table, [row('a', 1)])).toEqual([])
})

it('whatever the names, a line has its fields and replaying the lines gives the rows', () => {
  const rows = fc.array(
    fc.record({ name: fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }), size: fc.nat(3) }),
  )
  fc.assert(
    fc.property(fc.array(rows, { maxLength: 6 }), (readings) => {
      const differ = new Differ()
      const state = new Map<string, string>()
      for (const reading of readings) {
        for (const line of differ.changes(table, reading).flatMap((part) => part.split('\n'))) {
          const [op, name, key, json, ...rest] = line.split('\t')
          expect([name, rest]).toEqual(['port', []])
          if (op === 'B') state.clear()
          if (op === 'D') state.delete(key!)
          if (op === 'P' || op === 'S') state.set(key!, json!)
        }
        const last = new Map(
          reading.map(({ name, size }) => [name.replace(/[\x00-\x1f]/g, '?'), { name, size }]),
        )
        expect(new Map([...state].map(([key, json]) => [key, JSON.parse(json)]))).toEqual(last)
      }
    }),
  )
})
