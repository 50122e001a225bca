import { describe, expect, it } from 'vitest'
import { port } from '../../src/tables/port.ts'
import { handwritten, screen } from './fixtures.ts'

/** In ethtool 6.1's form; that of eth0 is what it said of a virtual machine's port. */
const outputs = [handwritten('ports.txt'), handwritten('ethtool.txt')]
const shown = (args = {}) => screen(port.shows[0]!, port.parse(outputs), args)

describe('show interfaces physical', () => {
  it('shows the ports and what is plugged into them', () => {
    expect(shown()).toEqual([
      'eth0 | up | - | off | - | - | -',
      'swp1 | up | 100G | off | QSFP28 | Mellanox | MCP1600-C003',
      'swp10 | down | - | on | empty | - | -',
      'swp2 | up | 100M | on | RJ45 | - | -',
      'swp3 | down | - | - | - | - | -',
    ])
  })

  it.each([
    [{ 'physical-port': 'swp2' }, ['swp2']],
    [{ empty: true }, ['swp10']],
    [{ plugged: true }, ['swp1', 'swp2']],
    [{ vendor: 'mellanox' }, ['swp1']],
    [{ model: 'MCP1600-C003', plugged: true }, ['swp1']],
    [{ vendor: 'Finisar' }, []],
  ])('narrowed by %j', (args, names) => {
    expect(shown(args).map((line) => line.split(' ')[0])).toEqual(names)
  })
})

describe('ports', () => {
  it('are known without ethtool, too', () => {
    const rows = port.parse([outputs[0], ''])
    expect(rows.map((row) => [row.interface, row.speed, row.module])).toEqual([
      ['eth0', null, null],
      ['swp1', '100G', null],
      ['swp10', null, null],
      ['swp2', '100M', null],
      ['swp3', null, null],
    ])
    for (const row of rows) expect(Object.keys(row)).toEqual(port.fields)
  })

  it('are none on a host without hardware', () => {
    expect(port.parse(['', ''])).toEqual([])
  })

  it('are refused in one sentence if the output is something else', () => {
    expect(() => port.parse(['what?\n', ''])).toThrow(/^"the ports" printed no state .* was not read$/)
    expect(() => port.parse(['', 'what?\n'])).toThrow(/^"ethtool" printed no port .* was not read$/)
  })
})
