import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { exposition } from '../../src/health/exposition.ts'
import { parseExposition } from './exposition-parser.ts'

describe('the text format', () => {
  it('says what was meant, whatever the labels, the help and the values are', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.uniqueArray(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 4 }),
        fc.double(),
        (help, texts, value) => {
          const samples = texts.map((text) => ({ labels: { text, more: 'x' }, value }))
          const family = { name: 'netq_x', type: 'gauge' as const, help, samples }
          const metric = parseExposition(exposition([family])).get('netq_x')!
          expect(metric.help).toBe(help)
          expect([...metric.samples.keys()]).toEqual(texts.map((text) => `text="${text}",more="x"`))
          for (const one of metric.samples.values()) expect(one === value || Object.is(one, value)).toBe(true)
        },
      ),
    )
  })

  it('leaves out what has no samples', () => {
    expect(exposition([{ name: 'a', type: 'gauge', help: 'A.', samples: [] }])).toBe('')
  })
})

const head = '# HELP a_total A.\n# TYPE a_total counter\n'

test.each([
  ['no end of line', `${head}a_total 1`],
  ['a sample without its metric', 'a 1\n'],
  ['a sample of another metric', `${head}b 1\n`],
  ['no sample', head],
  ['no HELP', '# TYPE a_total counter\na_total 1\n'],
  ['no TYPE', '# HELP a_total A.\na_total 1\n'],
  ['a metric twice', `${head}a_total 1\n${head}a_total 2\n`],
  ['a sample twice', `${head}a_total 1\na_total 2\n`],
  ['a bad name', '# HELP a-b A.\n# TYPE a-b gauge\na-b 1\n'],
  ['a bad type', '# HELP a A.\n# TYPE a number\na 1\n'],
  ['a counter without _total', '# HELP a A.\n# TYPE a counter\na 1\n'],
  ['a bad value', `${head}a_total 0x10\n`],
  ['an empty value', `${head}a_total \n`],
  ['a bad label', `${head}a_total{1x="y"} 1\n`],
  ['a reserved label', `${head}a_total{__x="y"} 1\n`],
  ['a label twice', `${head}a_total{x="y",x="z"} 1\n`],
  ['an open quote', `${head}a_total{x="y} 1\n`],
  ['a bare quote', `${head}a_total{x="y"z"} 1\n`],
  ['a bad escape', `${head}a_total{x="\\t"} 1\n`],
  ['an empty line', `${head}\na_total 1\n`],
])('the parser of these tests refuses %s', (_, text) => {
  expect(() => parseExposition(text)).toThrow()
})
