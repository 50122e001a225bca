import { describe, expect, test } from 'vitest'
import { decide } from '../../src/cluster/decide.ts'
import type { Action, View } from '../../src/cluster/types.ts'
import {
  A,
  asMaster,
  B,
  C,
  following,
  healthy,
  lost,
  member,
  online,
  sentinel,
  view,
} from './model/reports.ts'

type Row = readonly [situation: string, seen: View, action: Action['do'], why: RegExp]

const check = (_: string, seen: View, action: Action['do'], why: RegExp) => {
  const decision = decide(seen)
  expect([decision.action.do, decision.why]).toEqual([action, expect.stringMatching(why)])
}

describe('what runs with the settings of another version', () => {
  const both = { outdated: ['redis', 'sentinel'] } as const
  const redis = { outdated: ['redis'] } as const
  const all = (self: string, changed: Parameters<typeof healthy>[1]) => view(healthy(A, changed)(self))
  test.each<Row>([
    ['the Sentinel goes first', all(B, { [B]: both }), 'stop-sentinel', /Sentinel here has the settings/],
    ['then the Redis of a replica', all(B, { [B]: redis }), 'stop-redis', /Redis here has the settings/],
    ['the Redis of the master goes on', all(A, { [A]: redis }), 'mark', /is the master/],
    ['the first of two', all(B, { [B]: redis, [C]: redis }), 'stop-redis', /another version/],
    ['the second waits', all(C, { [B]: redis, [C]: redis }), 'nothing', /a replica of/],
    [
      'nobody waits for a master that has to hand over first',
      all(B, { [A]: redis, [B]: redis }),
      'stop-redis',
      /another version/,
    ],
    [
      'it waits while another replica is not in step',
      all(B, { [B]: redis, [C]: { redis: lost(A) } }),
      'nothing',
      /a replica of/,
    ],
    [
      'it waits while the master lacks a replica',
      all(B, { [B]: redis, [A]: { redis: asMaster({ replicas: online(B) }) } }),
      'nothing',
      /a replica of/,
    ],
    [
      'it waits while a server is away',
      view(healthy(A, { [B]: redis })(B).filter(({ ip }) => ip !== C) as never, { away: [C] }),
      'nothing',
      /a replica of/,
    ],
    [
      'it waits while the Sentinels replace a master',
      all(B, { [B]: redis, [C]: { sentinel: sentinel(A, { failover: true }) } }),
      'nothing',
      /a replica of/,
    ],
    [
      'a single server does it at once',
      view([{ ...member(A, { desired: undefined, ...redis }), redis: asMaster({ clusterId: '' }) }]),
      'stop-redis',
      /another version/,
    ],
  ])('%s', check)

  test('a Sentinel that somebody else started is told how often to look', () => {
    const seen = all(B, { [B]: { sentinel: sentinel(A, { slow: true }) } })
    expect(decide(seen).action).toEqual({ do: 'hasten-sentinel' })
  })
})

describe('a master that was asked to step down', () => {
  const ready = { redis: following(A, { priority: 1 }), sentinel: sentinel(A, { ownPriority: 1 }) }
  test('has its successor prepare, and hands over once it has', () => {
    const asked = { [A]: { stepsDown: { to: C } } }
    expect(decide(view(healthy(A, asked)(A))).why).toBe(`${C} prepares to be the master`)
    expect(decide(view(healthy(A, asked)(C))).action).toEqual({ do: 'prioritize', priority: 1 })
    expect(decide(view(healthy(A, asked)(B))).action).toEqual({ do: 'nothing' })
    expect(decide(view(healthy(A, { ...asked, [C]: ready })(A))).action).toEqual({ do: 'switch-over', to: C })
  })

  test('stays it where the successor is lost, and goes on with its work', () => {
    const asked = { stepsDown: { to: C }, redis: asMaster({ replicas: online(B) }) }
    const decision = decide(view(healthy(A, { [A]: asked, [C]: { redis: lost(A) } })(A)))
    expect(decision.action.do).toBe('mark')
    expect(decision.why).toContain(`${C} is not a replica that is online`)
  })

  test('is forgotten by its successor once it is over', () => {
    const after = { [A]: { stepsDown: {} }, [C]: ready }
    expect(decide(view(healthy(A, after)(C))).action).toEqual({ do: 'prioritize', priority: 100 })
  })
})
