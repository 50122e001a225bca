import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decide } from '../../src/cluster/decide.ts'
import { mastersAmong, membersOf, reportsOf } from '../../src/cluster/picture.ts'
import type { Action, View } from '../../src/cluster/types.ts'
import { anyView } from './model/views.ts'

const RUNS = { numRuns: 8000, seed: 7 }

/** Holds the rule against what is decided in every state in which `which` is decided; there have to be such states. */
function everywhere<Kind extends Action['do']>(
  which: Kind,
  rule: (view: View, action: Extract<Action, { do: Kind }>) => void,
): void {
  let cases = 0
  fc.assert(
    fc.property(anyView, (view) => {
      const { action } = decide(view)
      if (action.do !== which) return
      cases += 1
      rule(view, action as Extract<Action, { do: Kind }>)
    }),
    RUNS,
  )
  expect(cases).toBeGreaterThan(2)
}

test('from whatever is seen something is decided, the same again, and a sentence says why', () => {
  const decided = new Set<string>()
  fc.assert(
    fc.property(anyView, (view) => {
      const decision = decide(view)
      decided.add(decision.action.do)
      expect(decision.why.trim()).not.toBe('')
      expect(decision.why).not.toMatch(/undefined|\[object|NaN/)
      expect(decide(view)).toEqual(decision)
    }),
    RUNS,
  )
  expect([...decided].sort()).toEqual(
    [
      ...[
        'adopt',
        'ask-failover',
        'commit',
        'finish-switchover',
        'follow',
        'form',
        'join',
        'leave',
        'mark',
        'nothing',
      ],
      ...[
        'prioritize',
        'promote',
        'promote-alone',
        'refuse',
        'retire',
        'settle',
        'start-redis',
        'start-sentinel',
      ],
      ...['stop-sentinel', 'switch-over'],
    ].sort(),
  )
})

test('only the newest copy is promoted, with a majority there, no master seen and no Sentinel left', () => {
  everywhere('promote', (view, { epoch }) => {
    const members = membersOf(view)
    const { order } = view.mine.desired!
    const present = [...members.values()].filter((r) => r.redis && !r.redis.loading)
    expect(mastersAmong(members)).toEqual([])
    expect(present.filter((r) => r.sentinel)).toEqual([])
    expect(present.length).toBeGreaterThanOrEqual(2)
    for (const { redis, ip, voted } of present) {
      const mine = view.mine.redis!
      const newer = redis!.epoch - mine.epoch || redis!.marker - mine.marker || redis!.applied - mine.applied
      expect(newer).toBeLessThanOrEqual(0)
      if (newer === 0)
        expect(order.indexOf(ip)).toBeGreaterThanOrEqual(
          Math.min(order.indexOf(view.self), order.indexOf(ip)),
        )
      expect(epoch).toBeGreaterThan(Math.max(voted, redis!.epoch))
    }
  })
})

test('no two servers that see the same decide to be promoted', () => {
  fc.assert(
    fc.property(anyView, (view) => {
      const reports = reportsOf(view)
      const asSeenBy = (ip: string): View => {
        const others = [...reports.values()].filter((r) => r.ip !== ip)
        return {
          ...view,
          self: ip,
          mine: reports.get(ip)!,
          peers: new Map(others.map((report) => [report.ip, { report }])),
        }
      }
      const lists = new Set([...reports.values()].map((r) => JSON.stringify(r.desired)))
      const promoted = [...reports.keys()].filter((ip) => decide(asSeenBy(ip)).action.do === 'promote')
      if (lists.size === 1) expect(promoted.length).toBeLessThanOrEqual(1)
    }),
    RUNS,
  )
})

test('a server promotes itself alone only where HA is off and its data are no cluster’s', () => {
  everywhere('promote-alone', ({ mine }) => {
    expect(mine.desired?.formed ?? false).toBe(false)
    expect(mine.redis).toMatchObject({ role: 'replica', clusterId: '' })
  })
})

test('a Sentinel of a member is stopped only with the master up and no failover, or for an election', () => {
  everywhere('stop-sentinel', (view) => {
    const election = view.leaderlessMs >= 4000
    if (!view.mine.desired?.formed || election) return
    const members = membersOf(view)
    expect(mastersAmong(members)).not.toEqual([])
    for (const { sentinel } of members.values())
      expect(sentinel?.failover || sentinel?.masterDown || false).toBe(false)
  })
})

test('no Redis is started over one that runs, and none follows its own server', () => {
  everywhere('start-redis', ({ mine, self }, { as }) => {
    expect(mine.redis).toBeUndefined()
    expect(mine.redisProblem).toBeUndefined()
    expect(as).not.toEqual({ replicaOf: self })
  })
})

test('a Redis is sent to another server only, which is seen as the master or named by the Sentinels', () => {
  everywhere('follow', (view, { master }) => {
    expect(master).not.toBe(view.self)
    const members = [...membersOf(view).values()]
    const named = members.filter((r) => r.sentinel?.master === master).length >= 2
    expect(named || mastersAmong(membersOf(view)).includes(master)).toBe(true)
    if (view.mine.redis!.role === 'master') {
      expect(mastersAmong(membersOf(view))).toContain(master)
      expect(members.some((r) => r.sentinel?.failover)).toBe(false)
    }
  })
})

test('the role is handed over by the master only, to a replica that is online, close and prepared', () => {
  everywhere('switch-over', (view, { to }) => {
    expect(to).not.toBe(view.self)
    expect(view.mine.redis!.role).toBe('master')
    expect(view.mine.redis!.replicas.find(({ ip }) => ip === to)!.lag).toBeLessThanOrEqual(2)
    expect(membersOf(view).get(to)).toMatchObject({ redis: { priority: 1 }, sentinel: { ownPriority: 1 } })
    expect(view.mine.sentinel!.quorum).toBe(true)
  })
})

test('a new list is written by the master that it begins with, one generation on, one server replaced', () => {
  everywhere('commit', ({ mine, self }, { order, generation }) => {
    expect(mine.redis!.role).toBe('master')
    expect(order[0]).toBe(self)
    if (order.length > 1) expect(generation).toBe(mine.desired!.generation + 1)
    expect(order.filter((ip) => !mine.desired!.order.includes(ip)).length).toBeLessThanOrEqual(1)
  })
})

test('a member marks, and takes writes without a replica, only as the master', () => {
  everywhere('settle', ({ mine }, { minReplicas }) => {
    expect(mine.redis!.role).toBe('master')
    if (mine.desired?.formed && mine.redis!.minReplicas > 0) expect(minReplicas).toBe(1)
  })
  everywhere('mark', ({ mine }) => expect(mine.redis!.role).toBe('master'))
})

test('no list but a newer one of the same cluster makes a member leave or change its own', () => {
  everywhere('retire', (view) => {
    const { generation, order } = view.mine.desired!
    const members = [...membersOf(view).values()].map((r) => r.desired!)
    const store = view.mine.redis!
    const newer = members.some((d) => d.generation > generation && !d.order.includes(view.self))
    const stored = store?.generation >= generation && store.servers.join() !== order.join()
    const told = [...view.peers.values()].some((seen) => (seen.newer?.generation ?? 0) > generation)
    expect(told || newer || stored).toBe(true)
  })
  everywhere('leave', ({ mine, peers, self }, { generation }) => {
    expect(generation).toBeGreaterThan(mine.desired!.generation)
    expect([...peers.values()].some(({ newer }) => newer?.order.join() === self)).toBe(true)
  })
  everywhere('adopt', ({ mine, self }, { generation, order }) => {
    expect(generation).toBeGreaterThanOrEqual(mine.desired!.generation)
    expect(order).toContain(self)
  })
})
