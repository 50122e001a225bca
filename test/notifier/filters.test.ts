import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type NotifierSettings, readNotifierSections } from '../../src/notifier/config.ts'
import { explain, routesOf } from '../../src/notifier/filters.ts'
import { type Event, SEVERITIES } from '../../src/notifier/types.ts'
import { notification } from './receiver.ts'

const integrations = `
notifier-integrations:
- {name: chat, type: slack, webhook: "https://x/"}
- {name: pd, type: pagerduty, severity: ERROR, api_integration_key: k}
`
const settingsOf = async (text: string) =>
  (await readNotifierSections(integrations + text, 'netq.yml')).settings
const withFilters = (...filters: string[]) =>
  settingsOf(`notifier-filters:\n${filters.map((filter) => `- {${filter}}\n`).join('')}`)

const bgp: Partial<Event> = {
  hostname: 'leaf-01',
  type: 'BgpSession',
  severity: 'WARNING',
  message: 'BGP: leaf-01 swp51: session state changed from established to failed',
  subject: 'BgpSession leaf-01 swp51',
}
const routed = (event: Partial<Event>, settings: NotifierSettings) =>
  [...routesOf(notification(0, event).event, settings)].map(
    ([name, { filter, silenced }]) => `${name} by ${filter}${silenced ? ', silenced' : ''}`,
  )

describe('an event', () => {
  const rest = 'name: default, output: [ALL]'
  it.each<[what: string, filters: string[], event: Partial<Event>, routes: string[]]>([
    ['goes to all whose severity it has', [rest], bgp, ['syslog by default', 'chat by default']],
    [
      'goes to all when it is bad enough',
      [rest],
      { severity: 'CRITICAL' },
      ['syslog by default', 'chat by default', 'pd by default'],
    ],
    ['goes to syslog only where there is no output', ['name: quiet', rest], bgp, ['syslog by quiet']],
    ['goes to syslog only by name', ['name: quiet, output: [syslog]'], bgp, ['syslog by quiet']],
    ['goes nowhere for None', ['name: drop, rule: {hostname: "leaf-.*"}, output: [None]', rest], bgp, []],
    ['words in other letters', ['name: drop, output: [none]'], bgp, []],
    [
      'goes past a filter that it does not match',
      ['name: drop, rule: {hostname: "spine-.*"}, output: [None]', rest],
      bgp,
      ['syslog by default', 'chat by default'],
    ],
    ['goes to the list and to syslog', ['name: a, output: [chat]', rest], bgp, ['syslog by a', 'chat by a']],
    [
      'goes on where the filter does not end it, and each output is told once',
      ['name: a, output: [chat], terminate_on_match: False', rest],
      { severity: 'ERROR' },
      ['syslog by a', 'chat by a', 'pd by default'],
    ],
    [
      'keeps what it had when a later filter drops it',
      ['name: a, output: [chat], terminate_on_match: False', 'name: drop, output: [None]', rest],
      bgp,
      ['syslog by a', 'chat by a'],
    ],
    ['goes nowhere if no filter matches', ['name: a, rule: {type: Link}, output: [ALL]'], bgp, []],
    [
      'needs all keys of a rule',
      ['name: a, rule: {type: BgpSession, hostname: spine}, output: [ALL]'],
      bgp,
      [],
    ],
    ['is matched as a whole', ['name: a, rule: {hostname: leaf-0}'], bgp, []],
    ['is matched in its case', ['name: a, rule: {hostname: LEAF-01}'], bgp, []],
    ['is matched in any case for (?i)', ['name: a, rule: {hostname: (?i)LEAF-01}'], bgp, ['syslog by a']],
    [
      'is matched by its interface',
      ['name: a, rule: {type: BgpSession, ifname: swp51}'],
      bgp,
      ['syslog by a'],
    ],
    ['is matched by its interface, whole', ['name: a, rule: {ifname: swp5}'], bgp, []],
    [
      'is matched by its message',
      ['name: a, rule: {message: ".*established to failed"}'],
      bgp,
      ['syslog by a'],
    ],
    ['a severity means at least it', ['name: a, rule: {severity: warning}'], bgp, ['syslog by a']],
    ['a severity is not for what is below it', ['name: a, rule: {severity: ERROR}'], bgp, []],
    ['a pattern of severities', ['name: a, rule: {severity: "WARNING|CRITICAL"}'], bgp, ['syslog by a']],
    [
      'the end of a trouble goes to who has an incident of it, whatever its severity',
      [rest],
      { severity: 'INFO', recovers: true },
      ['syslog by default', 'chat by default', 'pd by default'],
    ],
    ['just one severity', ['name: a, rule: {severity: (INFO)}'], bgp, []],
  ])('%s', async (_what, filters, event, routes) => {
    expect(routed(event, await withFilters(...filters))).toEqual(routes)
  })

  it('goes to the syslog server wherever it goes to syslog', async () => {
    const settings = await settingsOf('netq-notifier: {syslog_server: "udp://127.0.0.1:514"}')
    expect(routed(bgp, settings)).toEqual([
      'syslog by default',
      'syslog-server by default',
      'chat by default',
    ])
  })

  it('is silenced by a rule until the time is over', async () => {
    const settings = await settingsOf(
      'notifier-silences: [{name: works, rule: {hostname: leaf-01}, until: 2026-11-23T18:00:00Z}]',
    )
    const end = Date.UTC(2026, 10, 23, 18)
    expect(routed({ ...bgp, time: end - 1 }, settings)).toEqual([
      'syslog by default, silenced',
      'chat by default, silenced',
    ])
    expect(routed({ ...bgp, time: end }, settings)).toEqual(['syslog by default', 'chat by default'])
    expect(routed({ ...bgp, hostname: 'leaf-02', time: end - 1 }, settings)).not.toContain(
      'syslog by default, silenced',
    )
  })
})

describe('the explanation', () => {
  it('says of every filter why it matched or not, and where the event goes', async () => {
    const settings = await withFilters(
      'name: drop, rule: {hostname: "spine-.*"}, output: [None]',
      'name: bgp, rule: {type: BgpSession}, output: [chat], terminate_on_match: False',
      'name: bad, rule: {severity: CRITICAL}, output: [pd]',
      'name: default, output: [ALL]',
      'name: late, output: [ALL]',
    )
    expect(explain(notification(0, bgp).event, settings)).toEqual([
      'Event: BgpSession on leaf-01, WARNING: BGP: leaf-01 swp51: session state changed from established to failed',
      'Filter drop: does not match, as hostname "leaf-01" is not spine-.*',
      'Filter bgp: matches (type), output chat; the next filter is asked too',
      'Filter bad: does not match, as severity WARNING is below CRITICAL',
      'Filter default: matches (its rule is empty), output ALL',
      '  not to pd: WARNING is below its severity ERROR',
      'Filter late: not asked, as default ended it',
      'Sent to: syslog, chat',
    ])
  })

  it('says that nothing matches, and which silence is in force', async () => {
    const settings = await settingsOf(
      'notifier-filters: [{name: a, rule: {type: Link}}]\nnotifier-silences: [{name: works, until: 2099-01-01T00:00:00Z}]',
    )
    expect(explain(notification(0, bgp).event, settings).slice(1)).toEqual([
      'Filter a: does not match, as type "BgpSession" is not Link',
      'No filter matches',
      'Sent to: nowhere, because of the silence works (without it: nowhere)',
    ])
  })
})

describe('whatever the event', () => {
  it('the filters never throw, and send to what is there', async () => {
    const settings = await withFilters(
      'name: a, rule: {message: "(a|b)*c?.*", ifname: "[^x]*"}, output: [chat], terminate_on_match: False',
      'name: b, rule: {severity: "E.*", hostname: "(?i)leaf\\\\\\\\d+"}, output: [pd]',
      'name: default, output: [ALL]',
    )
    const anything = fc.record({
      id: fc.string({ unit: 'binary' }),
      time: fc.double(),
      hostname: fc.string({ unit: 'binary' }),
      type: fc.string({ unit: 'binary' }),
      severity: fc.oneof(fc.constantFrom(...SEVERITIES), fc.string() as fc.Arbitrary<never>),
      message: fc.string({ unit: 'binary', maxLength: 200 }),
      subject: fc.string({ unit: 'binary' }),
      recovers: fc.boolean(),
    })
    fc.assert(
      fc.property(anything, (event) => {
        const names = [...routesOf(event, settings).keys()]
        expect(names[0]).toBe('syslog')
        expect(explain(event, settings).at(-1)).toBe(`Sent to: ${names.join(', ')}`)
      }),
      { numRuns: 500 },
    )
  })

  it('a pattern that explodes elsewhere needs a time that grows with the text', async () => {
    const settings = await withFilters('name: a, rule: {message: "(a+)+$"}')
    const message = `${'a'.repeat(20_000)}b`
    const start = performance.now()
    expect(routed({ message }, settings)).toEqual([])
    // Node's own needs 2^20000 steps; this needs 10 ms, and a second under load is far from that.
    expect(performance.now() - start).toBeLessThan(2000)
  })
})
