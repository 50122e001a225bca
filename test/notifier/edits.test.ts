import { describe, expect, test } from 'vitest'
import type { NotifierEdit } from '../../src/api/types.ts'
import { applyEdit, type Sections } from '../../src/notifier/edits.ts'

const NOW = Date.UTC(2026, 10, 23, 15)

/** The sections after these commands, from nothing. */
function made(...edits: NotifierEdit[]): Sections {
  const sections: Sections = {}
  for (const edit of edits) applyEdit(sections, edit, NOW)
  return sections
}

const slack = { do: 'add-integration', type: 'slack', name: 'ops', keys: { webhook: 'https://a/b' } } as const
const filter = (name: string, more: object = {}): NotifierEdit => ({ do: 'add-filter', name, ...more })
const names = (sections: Sections) => sections['notifier-filters']?.map(({ name }) => name)

describe('integrations', () => {
  test('adding one again changes it; another type under its name is refused', () => {
    const sections = made(slack, { ...slack, keys: { webhook: 'https://c/d', severity: 'ERROR' } })
    expect(sections['notifier-integrations']).toEqual([
      { name: 'ops', type: 'slack', webhook: 'https://c/d', severity: 'ERROR' },
    ])
    expect(() => applyEdit(sections, { ...slack, type: 'webhook' }, NOW)).toThrow(
      'ops is an integration of type slack. Nothing was changed. Take another name',
    )
  })

  test('deleting one that is not there names those that are', () => {
    const sections = made(slack)
    const del = (what: string, name: string) => applyEdit(sections, { do: 'del', what, name }, NOW)
    expect(() => del('slack', 'pos')).toThrow(
      'There is no slack called pos. Nothing was changed. There are: ops',
    )
    expect(() => del('webhook', 'ops')).toThrow(
      'There is no webhook called ops. Nothing was changed. There is none',
    )
    expect(del('slack', 'ops')).toBe('The slack ops is deleted')
    expect(sections['notifier-integrations']).toEqual([])
  })
})

describe('filters', () => {
  test('the first one is put before the default, which is then written down', () => {
    expect(
      made(filter('leaf drop', { rule: ['hostname', 'leaf-.*'], output: 'None' }))['notifier-filters'],
    ).toEqual([
      { name: 'leaf drop', rule: { hostname: 'leaf-.*' }, output: ['None'] },
      { name: 'default', rule: null, output: ['ALL'] },
    ])
  })

  test('before and after an anchor; again under its name it takes more rules and outputs, and another place', () => {
    const sections = made(
      filter('a', { output: 'ops' }),
      filter('b', { before: 'a' }),
      filter('c', { after: 'a' }),
      filter('a', { rule: ['type', 'Link'], output: 'pd' }),
      filter('b', { after: 'c' }),
    )
    expect(names(sections)).toEqual(['a', 'c', 'b', 'default'])
    expect(sections['notifier-filters']![0]).toEqual({
      name: 'a',
      rule: { type: 'Link' },
      output: ['ops', 'pd'],
    })
  })

  test('an anchor that is not there is refused, and nothing is changed', () => {
    const sections = made(filter('a'))
    expect(() => applyEdit(sections, filter('b', { before: 'x' }), NOW)).toThrow(
      'There is no filter x. Nothing was changed. The filters are a, default',
    )
    expect(names(sections)).toEqual(['a', 'default'])
  })
})

describe('silences', () => {
  test('each has a name of its own and an end; those that are over are forgotten', () => {
    const sections = made({ do: 'add-silence', rule: ['hostname', 'leaf01'], forMs: 7_200_000 })
    expect(applyEdit(sections, { do: 'add-silence', rule: ['type', 'Link'], forMs: 60_000 }, NOW)).toContain(
      'silence-2: nobody is told of events with type Link until 2026-11-23T15:01:00Z',
    )
    applyEdit(sections, { do: 'add-silence', rule: ['type', 'Fan'], forMs: 60_000 }, NOW + 3_600_000)
    expect(sections['notifier-silences']).toEqual([
      { name: 'silence-1', rule: { hostname: 'leaf01' }, until: '2026-11-23T17:00:00Z' },
      { name: 'silence-2', rule: { type: 'Fan' }, until: '2026-11-23T16:01:00Z' },
    ])
  })
})

test('None and ALL are known in whatever capitals', () => {
  const sections = made(filter('a', { output: 'all' }), filter('a', { output: 'ops' }))
  expect(sections['notifier-filters']![0]!.output).toEqual(['ops'])
  applyEdit(sections, filter('a', { output: 'none' }), NOW)
  expect(sections['notifier-filters']![0]!.output).toEqual(['none'])
})

test('a silence of centuries is refused with what to do instead', () => {
  const silence = { do: 'add-silence', rule: ['hostname', 'leaf01'], forMs: 1e17 } as const
  expect(() => made(silence)).toThrow(
    'A silence lasts for a year at most. Nothing was changed. For longer use a filter with output None',
  )
})
