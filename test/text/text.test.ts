import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ago } from '../../src/text/duration.ts'
import { globMatcher } from '../../src/text/glob.ts'
import { covers, hasHostBits, parsePrefix } from '../../src/text/ip.ts'
import { byNature } from '../../src/text/natural.ts'
import { textTable } from '../../src/text/table.ts'

describe('an age', () => {
  it.each([
    [55_999, '55s'],
    [850_000, '14m:10s'],
    [9_747_000, '2h:42m:27s'],
    [266_701_000, '3d:2h:5m:1s'],
    [86_400_000, '1d:0h:0m:0s'],
    [0, '0s'],
    [-3_000, '0s'],
  ])('of %i ms is %s', (ms, text) => {
    expect(ago(ms)).toBe(text)
  })

  it('can be read back to the second', () => {
    const units: Record<string, number> = { d: 86_400, h: 3600, m: 60, s: 1 }
    fc.assert(
      fc.property(fc.nat(2_000_000_000), (seconds) => {
        const parts = ago(seconds * 1000).split(':')
        expect(parts.reduce((sum, part) => sum + Number(part.slice(0, -1)) * units[part.slice(-1)]!, 0)).toBe(
          seconds,
        )
        expect(parts.length === 1 || !parts[0]!.startsWith('0')).toBe(true)
      }),
    )
  })
})

describe('a text table', () => {
  it('is as wide as its widest cells and two wider than its heads, with dashes under each column', () => {
    expect(
      textTable(
        ['Hostname', 'State', 'Last Changed'],
        [
          ['leaf01', 'up', '2h:0m:0s'],
          ['oob-mgmt-server', '', '9s'],
        ],
      ),
    ).toBe(
      [
        'Hostname         State    Last Changed',
        '---------------  -------  --------------',
        'leaf01           up       2h:0m:0s',
        'oob-mgmt-server           9s',
        '',
      ].join('\n'),
    )
  })

  it('lets nothing from the wire drive the terminal', () => {
    const table = textTable(['Peer'], [['\x1b[2Jevil\nleaf02 \u202ecod\x9b']])
    expect(table.split('\n')[2]).toBe('?[2Jevil?leaf02 ?cod?')
  })

  it('starts each column at the same character in every line, whatever is in the cells', () => {
    const cell = fc.string({ unit: 'binary', maxLength: 12 })
    fc.assert(
      fc.property(fc.array(cell, { maxLength: 8 }), (cells) => {
        const lines = textTable(
          ['A', 'B'],
          cells.map((text) => [text, 'end']),
        ).split('\n')
        expect(lines).toHaveLength(cells.length + 3)
        expect(new Set(lines.slice(2, -1).map((line) => [...line].length)).size).toBeLessThan(2)
        for (const line of lines.slice(2, -1)) expect(line).toMatch(/ {2}end$/)
        for (const line of lines) expect(line).toBe(line.trimEnd())
      }),
    )
  })
})

describe('natural order', () => {
  it('counts as people do', () => {
    const names = [
      'swp10',
      'swp2',
      'leaf2',
      'leaf10',
      'swp1s3',
      'swp1s10',
      'swp1',
      '10.0.0.9/32',
      '10.0.0.10/32',
    ]
    expect(names.sort(byNature)).toEqual([
      ...['10.0.0.9/32', '10.0.0.10/32', 'leaf2', 'leaf10'],
      ...['swp1', 'swp1s3', 'swp1s10', 'swp2', 'swp10'],
    ])
  })

  it('orders the same prefix by its number, however large', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n }), fc.bigInt({ min: 0n }), (a, b) => {
        expect(Math.sign(byNature(`swp${a}`, `swp${b}`))).toBe(a < b ? -1 : a > b ? 1 : 0)
      }),
    )
  })

  it('is the same whatever the order was before', () => {
    const name = fc.stringMatching(/^[a-c0-3.-]{0,8}$/)
    fc.assert(
      fc.property(fc.array(name), (names) => {
        expect([...names].reverse().sort(byNature)).toEqual([...names].sort(byNature))
      }),
    )
  })
})

describe('a glob over host names', () => {
  it.each([
    ['leaf*', 'leaf01', true],
    ['leaf*', 'aleaf01', false],
    ['*', '', true],
    ['leaf0?', 'leaf01', true],
    ['leaf0?', 'leaf011', false],
    ['leaf0[13]', 'leaf03', true],
    ['leaf0[1-3]', 'leaf02', true],
    ['leaf0[!1-3]', 'leaf02', false],
    ['leaf0[!1-3]', 'leaf04', true],
    ['leaf[01', 'leaf[01', true],
    ['leaf.1', 'leafx1', false],
    ['*leaf*1', 'oob-leaf01-leaf11', true],
    ['leaf01', 'LEAF01', false],
  ])('%s and %s: %s', (pattern, name, fits) => {
    expect(globMatcher(pattern)(name)).toBe(fits)
  })

  it('agrees with the regular expression of the same meaning', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ab*?]{0,7}$/), fc.stringMatching(/^[ab]{0,8}$/), (pattern, name) => {
        const regular = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`)
        expect(globMatcher(pattern)(name)).toBe(regular.test(name))
      }),
    )
  })

  it('is not slowed down by a hostile pattern', () => {
    const start = performance.now()
    expect(globMatcher(`${'*a'.repeat(60)}b`)('a'.repeat(5000))).toBe(false)
    expect(performance.now() - start).toBeLessThan(1000)
  })
})

describe('addresses and prefixes', () => {
  const prefix = (text: string) => parsePrefix(text)!

  it.each([
    '10.0.0',
    '10.0.0.256',
    '10.0.0.1/33',
    '10.0.0.1/',
    '10.0.0.1/8/8',
    'swp1',
    'fe80::1%swp1',
    '::/129',
    '',
  ])('refuses %j', (text) => {
    expect(parsePrefix(text)).toBeUndefined()
  })

  it('reads the same IPv6 address however it is written', () => {
    expect(prefix('2001:DB8:0:0::1')).toEqual(prefix('2001:db8::0001'))
    expect(prefix('::ffff:10.0.0.1').bits).toBe(0xffff0a000001n)
    expect(prefix('::').bits).toBe(0n)
  })

  it.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['0.0.0.0/0', '192.168.0.1', true],
    ['10.0.0.0/24', '10.0.1.0', false],
    ['10.0.0.0/24', '10.0.0.0/16', false],
    ['::/0', '10.0.0.1', false],
    ['2001:db8::/32', '2001:db8:ffff::/48', true],
  ])('%s covers %s: %s', (outer, inner, expected) => {
    expect(covers(prefix(outer), prefix(inner))).toBe(expected)
  })

  it('sees host bits', () => {
    expect(hasHostBits(prefix('10.0.0.1/24'))).toBe(true)
    expect(hasHostBits(prefix('10.0.0.0/24'))).toBe(false)
    expect(hasHostBits(prefix('10.0.0.1'))).toBe(false)
  })
})
