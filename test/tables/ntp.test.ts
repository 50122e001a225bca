import { describe, expect, it } from 'vitest'
import { ntp } from '../../src/tables/ntp.ts'
import { captured, handwritten, screen } from './fixtures.ts'

const shown = (output: string, args = {}) => screen(ntp.shows[0]!, ntp.parse([output]), args)
/** Captured from chronyd 4.3, following another one, and asking an address where nobody answers. */
const synchronised = `chrony\n${captured('chrony-sync.txt')}`
const alone = `chrony\n${captured('chrony-unsync.txt')}`

describe('show ntp', () => {
  it.each([
    ['chronyd that follows a server', synchronised, 'yes | 10.9.1.2 | 3 | chrony'],
    ['chronyd that does not', alone, 'no | - | - | chrony'],
    ['chronyd that does not run', 'chrony\n\n', 'no | - | - | chrony'],
    [
      'chronyd that follows its own clock',
      'chrony\n7F7F0101,127.127.1.1,10,1795458585.8,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal\n',
      'no | - | - | chrony',
    ],
    ['ntpd', handwritten('ntpq.txt'), 'yes | 192.0.2.11 | 2 | ntp'],
    ['ntpd without a peer yet', handwritten('ntpq.txt').replace('*', ' '), 'no | - | - | ntp'],
    ['ntpd that does not run', 'ntp\n', 'no | - | - | ntp'],
    [
      'timesyncd',
      'timesyncd\nSynchronized ServerAddress=192.0.2.10\nNTPMessage={ Leap=0, Version=4, Mode=4, Stratum=2 }\n',
      'yes | 192.0.2.10 | 3 | timesyncd',
    ],
    ['timesyncd that waits', 'timesyncd\nServerAddress=192.0.2.10\n', 'no | - | - | timesyncd'],
  ])('%s', (_, output, line) => {
    expect(shown(output)).toEqual([line])
  })

  it('can be narrowed', () => {
    expect(shown(synchronised, { 'in-sync': true })).toHaveLength(1)
    expect(shown(synchronised, { 'out-of-sync': true })).toEqual([])
    expect(shown(alone, { 'out-of-sync': true })).toHaveLength(1)
  })
})

describe('NTP', () => {
  it('has no row where no time daemon is installed', () => {
    expect(ntp.parse(['none\n'])).toEqual([])
  })

  it('does not change with the offsets', () => {
    const later = synchronised.replace(/-?0\.0\d+/g, '0.5')
    expect(later).not.toBe(synchronised)
    expect(ntp.parse([later])).toEqual(ntp.parse([synchronised]))
  })

  it('is refused in one sentence if the output is something else', () => {
    for (const wrong of ['', 'sundial\n', 'chrony\nwhat?\n', 'ntp\nwhat?\n'])
      expect(() => ntp.parse([wrong])).toThrow(
        /^"the time daemon" printed .*, so what it reports was not read$/,
      )
  })
})
