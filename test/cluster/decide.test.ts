import { describe, expect, test } from 'vitest'
import { decide } from '../../src/cluster/decide.ts'
import type { Action, ServerReport, View } from '../../src/cluster/types.ts'
import {
  A,
  asMaster,
  B,
  C,
  CLUSTER,
  D,
  following,
  healthy,
  lost,
  member,
  ORDER,
  online,
  redis,
  sentinel,
  told,
  view,
} from './model/reports.ts'

/** The list of generation 2, as a server tells it that has left because of it, or replaced the one that looks. */
const ended = (order: readonly string[]) => ({ clusterId: CLUSTER, generation: 2, order })
/** A healthy cluster of A, of which `by` tells the one that looks this list. */
const tells = (by: string, order: readonly string[]) => (self: string) => {
  const seen = view(healthy(A)(self))
  const told = { unreachable: 'it is in the cluster no more', newer: ended(order) }
  return { ...seen, peers: new Map([...seen.peers, [by, told]]) }
}

type Row = readonly [situation: string, seen: View, action: Action, why: RegExp]

const check = (_: string, seen: View, action: Action, why: RegExp) => {
  const decision = decide(seen)
  expect(decision).toEqual({ action, why: expect.stringMatching(why) })
}
const nothing: Action = { do: 'nothing' }
const fenced: Action = { do: 'start-redis', as: 'fenced' }
const single = member(A, { desired: undefined })
const singleMaster = asMaster({ replicas: [], minReplicas: 0, clusterId: '', servers: [A] })
const proposal = (order: readonly string[], base = 1) => ({ id: 'p', order, base, at: 1 })
const marks = (master: string): Action => ({
  do: 'mark',
  roles: Object.fromEntries(ORDER.map((ip) => [ip, ip === master ? 'master' : 'replica'])),
})
/** All were down; each Redis is up and follows nobody. */
const stopped = (ip: string, parts: Parameters<typeof redis>[0] = {}) => member(ip, { redis: redis(parts) })
/** The two replicas after the loss of A: their links are gone, their Sentinels still name it. */
const orphan = (ip: string) => member(ip, { redis: lost(A), sentinel: sentinel(A, { masterDown: true }) })
/** It has lost A, and its Sentinel is in TILT. */
const still = (ip: string, parts: Parameters<typeof lost>[1] = {}) =>
  member(ip, { redis: lost(A, parts), sentinel: sentinel(A, { tilt: true }) })
const waits = (ip: string, order: readonly string[] = ORDER) => told(ip, order)
const keepsOn: Action = { do: 'mark', roles: { [A]: 'master' } }

describe('a single server', () => {
  test.each<Row>([
    ['starts its Redis fenced', view([single]), fenced, /HA is off/],
    ['waits while it loads', view([{ ...single, redis: redis({ loading: true }) }]), nothing, /loading/],
    [
      'makes it the master',
      view([{ ...single, redis: redis({ clusterId: '' }) }]),
      { do: 'promote-alone' },
      /only server/,
    ],
    [
      'goes on with no data of a cluster whose list it lost (trap 8)',
      view([{ ...single, redis: redis() }]),
      nothing,
      /belong to the cluster cluster, .*netq config ts add server/,
    ],
    [
      'has no use for a Sentinel',
      view([{ ...single, redis: singleMaster, sentinel: sentinel(A) }]),
      { do: 'stop-sentinel' },
      /HA is off/,
    ],
    [
      'takes writes without a replica',
      view([{ ...single, redis: singleMaster }], { settled: false }),
      { do: 'settle', minReplicas: 0 },
      /single server/,
    ],
    ['marks its copy', view([{ ...single, redis: singleMaster }]), keepsOn, /in order/],
    [
      'does not start a Redis that runs and does not answer a second time',
      view([{ ...single, redisProblem: 'redis runs, but it does not answer' }]),
      nothing,
      /does not answer/,
    ],
  ])('%s', check)
})

describe('a server that waits', () => {
  test.each<Row>([
    [
      'for one that does not answer',
      view([waits(A), waits(B)], { away: [C] }),
      keepsOn,
      /waiting for 10.0.0.7: .*not running/,
    ],
    ['for one that was not asked yet', view([waits(A), waits(B)]), keepsOn, /not asked yet/],
    [
      'for an operator',
      view([waits(A), waits(B), member(C, { desired: undefined })]),
      keepsOn,
      /run netq config ts add server 10.0.0.5 10.0.0.6 10.0.0.7 there too/,
    ],
    [
      'while another has another list, and names both',
      view([waits(A), waits(B, [B, A, C]), waits(C)]),
      keepsOn,
      /10.0.0.6 was given another list, 10.0.0.6 10.0.0.5 10.0.0.7; this server has 10.0.0.5 10.0.0.6 10.0.0.7/,
    ],
    [
      'rather than wipe the one that holds the data (trap 21)',
      view([told(A, ORDER, { redis: { ...singleMaster, applied: 0 } }), waits(B), waits(C)]),
      keepsOn,
      /10.0.0.6 holds data and 10.0.0.5 holds none: put 10.0.0.6 first/,
    ],
    ['no longer than the three agree', view([waits(A), waits(B), waits(C)]), { do: 'form' }, /same list/],
    [
      'for the first to begin',
      view([waits(B), waits(A), waits(C)]),
      { do: 'mark', roles: { [B]: 'master' } },
      /waiting for 10.0.0.5 to begin/,
    ],
    [
      'until one has begun',
      view([waits(B), member(A)], { away: [C] }),
      { do: 'join', member: A },
      /in the cluster already/,
    ],
    [
      'begins no second cluster, also if it is the first and lost its disk',
      view([
        { ...waits(A), redis: redis({ role: 'master', applied: 0, clusterId: '' }) },
        member(B),
        member(C),
      ]),
      { do: 'join', member: B },
      /in the cluster already/,
    ],
    [
      'does not let an older cluster of its list take the place of the data that it holds, as the first',
      view([waits(A), member(B), member(C)]),
      nothing,
      /holds data of its own/,
    ],
    [
      'does not go back to the cluster that it has ended, of which a member comes back',
      view([{ ...waits(A), left: { clusterId: CLUSTER, generation: 2, order: [A] } }, member(B)], {
        away: [C],
      }),
      keepsOn,
      /waiting for 10.0.0.7/,
    ],
    [
      'joins no cluster of another list',
      view([waits(A), member(B, { desired: { ...member(B).desired!, order: [B, A, C] } })]),
      keepsOn,
      /another list/,
    ],
  ])('%s', check)
})

describe('what a member starts as', () => {
  test.each<Row>([
    [
      'a replica of the master that is seen (trap 8)',
      view([member(A), member(B, { redis: asMaster() }), member(C, { redis: following(B) })]),
      { do: 'start-redis', as: { replicaOf: B } },
      /10.0.0.6 is the master/,
    ],
    [
      'a replica of the master that the Sentinels name, though it cannot be asked',
      view([member(C, { sentinel: sentinel(A) }), member(B, { sentinel: sentinel(A) })], { away: [A] }),
      { do: 'start-redis', as: { replicaOf: A } },
      /10.0.0.5 is the master/,
    ],
    [
      'nobody’s replica where no master is known (trap 7)',
      view([member(A)], { away: [B, C] }),
      fenced,
      /no other server is the master/,
    ],
    [
      'nothing yet where it was the master a moment ago: the Sentinels replace it',
      view([member(A, { sentinel: sentinel(A) }), orphan(B)], { away: [C], sinceOwnMasterDiedMs: 100 }),
      { do: 'ask-failover', of: B },
      /has died; a replica takes over/,
    ],
    [
      'nothing yet while they are at it',
      view([member(A), member(B, { redis: lost(A), sentinel: sentinel(A, { failover: true }) }), orphan(C)], {
        sinceOwnMasterDiedMs: 100,
      }),
      nothing,
      /leaving it to the Sentinels/,
    ],
    [
      'fenced when they did not',
      view([member(A), orphan(B), orphan(C)], { sinceOwnMasterDiedMs: 8000 }),
      fenced,
      /no other server is the master/,
    ],
    [
      'fenced, rather than a replica of a former master that was frozen and has older data',
      view([
        member(B, { sentinel: sentinel(B, { epoch: 2 }) }),
        member(A, { redis: asMaster({ epoch: 1, replicas: [] }) }),
        member(C, { redis: lost(B, { epoch: 2 }), sentinel: sentinel(B, { epoch: 2 }) }),
      ]),
      fenced,
      /no other server is the master/,
    ],
  ])('is %s', check)
})

describe('a replica', () => {
  const alone = [member(C, { redis: lost(A) }), member(B, { redis: asMaster({ replicas: [] }) })] as const
  test.each<Row>([
    ['that follows is left alone', view(healthy(A)(B)), nothing, /a replica of 10.0.0.5/],
    [
      'that loads is left alone',
      view(healthy(A, { [B]: { redis: redis({ loading: true }) } })(B)),
      nothing,
      /loading/,
    ],
    [
      'that is fenced follows the master',
      view(healthy(A, { [B]: { redis: redis() } })(B)),
      { do: 'follow', master: A },
      /10.0.0.5 is the master/,
    ],
    [
      'that follows another is left to the Sentinels at first',
      view(healthy(A, { [B]: { redis: following(C) } })(B), { strayMs: 1000 }),
      nothing,
      /a replica of 10.0.0.7/,
    ],
    [
      'and is moved after',
      view(healthy(A, { [B]: { redis: following(C) } })(B), { strayMs: 6000 }),
      { do: 'follow', master: A },
      /is the master/,
    ],
    [
      'that lost its master finds the elected one where no Sentinel runs to move it',
      view([...alone], { away: [A] }),
      { do: 'follow', master: B },
      /10.0.0.6 is the master/,
    ],
    [
      'of a replica follows the master where no Sentinel runs to move it',
      view([
        member(C, { redis: following(A) }),
        member(A, { redis: following(B) }),
        member(B, { redis: asMaster({ replicas: online(A) }) }),
      ]),
      { do: 'follow', master: B },
      /10.0.0.6 is the master/,
    ],
    [
      'with a link to a master that only this server cannot see stays with it',
      view([member(C, { redis: following(A) }), member(B, { redis: asMaster({ replicas: [] }) })], {
        away: [A],
      }),
      nothing,
      /a replica of 10.0.0.5/,
    ],
    [
      'starts its Sentinel once it is linked, in the highest epoch that is known (trap 11)',
      view(
        healthy(A, { [B]: { redis: following(A, { epoch: 4 }), sentinel: undefined }, [C]: { voted: 7 } })(B),
      ),
      { do: 'start-sentinel', master: A, epoch: 7 },
      /follows it/,
    ],
    [
      'starts no Sentinel in an epoch in which another Sentinel names another master',
      view(healthy(A, { [B]: { sentinel: undefined }, [C]: { sentinel: sentinel(C) } })(B)),
      { do: 'start-sentinel', master: A, epoch: 2 },
      /follows it/,
    ],
    [
      'starts no Sentinel before it is linked',
      view(healthy(A, { [B]: { redis: lost(A), sentinel: undefined } })(B)),
      nothing,
      /waiting for the link/,
    ],
    [
      'starts no second Sentinel where one runs and does not answer (trap 12)',
      view(healthy(A, { [B]: { sentinel: undefined, sentinelProblem: 'it does not answer' } })(B)),
      nothing,
      /a replica of/,
    ],
    [
      'restores its priority (trap 4)',
      view(healthy(A, { [B]: { redis: following(A, { priority: 1 }) } })(B)),
      { do: 'prioritize', priority: 100 },
      /equal priority/,
    ],
  ])('%s', check)
})

describe('a master', () => {
  const two = (self: ServerReport, other: ServerReport, ms: number) =>
    view([self, other, member(C, { redis: following(B), sentinel: sentinel(B, { epoch: 2 }) })], {
      rivalMs: ms,
    })
  const old = member(A, { redis: asMaster(), sentinel: sentinel(B, { epoch: 2 }) })
  const fresh = member(B, { redis: asMaster({ epoch: 2 }), sentinel: sentinel(B, { epoch: 2 }) })
  const failing = member(B, { ...fresh, sentinel: sentinel(B, { epoch: 2, failover: true }) })
  const successor = member(B, { redis: asMaster({ replicas: online(A) }), sentinel: sentinel(A) })
  const former = member(A, { redis: following(B), sentinel: sentinel(A) })
  test.each<Row>([
    ['marks its copy', view(healthy(A)(A)), marks(A), /this server is the master/],
    [
      'asks for a replica once it has one (trap 16)',
      view(healthy(A, { [A]: { redis: asMaster({ minReplicas: 0 }) } })(A)),
      { do: 'settle', minReplicas: 1 },
      /settings/,
    ],
    [
      'goes on asking when it has none any more: writes stop (trap 15)',
      view(healthy(A, { [A]: { redis: asMaster({ replicas: [] }) } })(A), { settled: false }),
      { do: 'settle', minReplicas: 1 },
      /settings/,
    ],
    [
      'takes writes while it begins the cluster',
      view([member(A, { redis: asMaster({ minReplicas: 0, replicas: [] }) }), waits(B), waits(C)], {
        settled: false,
      }),
      { do: 'settle', minReplicas: 0 },
      /settings/,
    ],
    [
      'starts the first Sentinel when every replica is online',
      view([member(A, { redis: asMaster() }), stopped(B), stopped(C)]),
      { do: 'start-sentinel', master: A, epoch: 1 },
      /has its replicas/,
    ],
    [
      'and not before',
      view([member(A, { redis: asMaster({ replicas: online(B) }) }), stopped(B), stopped(C)]),
      marks(A),
      /is the master/,
    ],
    [
      'gives way to a later one (trap 8)',
      two(old, fresh, 2000),
      { do: 'follow', master: B },
      /newer decision/,
    ],
    ['but not at once: a hand-over looks the same', two(old, fresh, 100), nothing, /looking again/],
    ['and not while the Sentinels are at it', two(old, failing, 2000), nothing, /looking again/],
    [
      'gives way to one of its own epoch with a newer copy',
      view(
        [member(B, { redis: asMaster({ replicas: [] }) }), member(A, { redis: asMaster({ marker: 11 }) })],
        { rivalMs: 2000 },
      ),
      { do: 'follow', master: A },
      /newer decision/,
    ],
    [
      'and that one does not give way',
      view(
        [member(A, { redis: asMaster({ marker: 11 }) }), member(B, { redis: asMaster({ replicas: [] }) })],
        { rivalMs: 2000 },
      ),
      { do: 'start-sentinel', master: A, epoch: 1 },
      /has its replicas/,
    ],
    ['is not moved by an older one', two(fresh, old, 2000), marks(B), /is the master/],
    [
      'does not go back to the dead one that the Sentinels still name',
      view([member(B, { redis: asMaster({ replicas: [] }), sentinel: sentinel(A) }), orphan(C)], {
        away: [A],
      }),
      marks(B),
      /is the master/,
    ],
    [
      'that was handed the role tells the Sentinels (trap 2)',
      view([successor, former]),
      { do: 'finish-switchover' },
      /handed over/,
    ],
    [
      'once (trap 19)',
      view([successor, { ...former, sentinel: sentinel(A, { failover: true }) }]),
      nothing,
      /told of the switchover/,
    ],
  ])('%s', check)
})

describe('a master that is lost', () => {
  /** The replicas of A, which both have found out how they lost it. */
  const bereft = (
    ip: string,
    how: 'refuses' | 'silent' | undefined,
    parts: Parameters<typeof sentinel>[1] = {},
  ) => member(ip, { redis: lost(A, { lost: how }), sentinel: sentinel(A, parts) })
  const forgot = { replicas: 0, masterDown: true }
  const promoted = member(B, {
    redis: asMaster({ replicas: [] }),
    sentinel: sentinel(A, { failover: true }),
  })
  test.each<Row>([
    [
      'is replaced by the Sentinel of the first that lost it, when a majority has',
      view([bereft(B, 'refuses'), bereft(C, 'refuses')], { away: [A] }),
      { do: 'fail-over', from: A },
      /10.0.0.5 is lost: 10.0.0.6 and 10.0.0.7 cannot reach it/,
    ],
    [
      'is not replaced by the second of them too',
      view([bereft(C, 'silent'), bereft(B, 'refuses')], { away: [A] }),
      nothing,
      /the Sentinel of 10.0.0.6 replaces it/,
    ],
    [
      'is replaced by the second if the Sentinel of the first is in TILT',
      view([bereft(C, 'silent'), bereft(B, 'silent', { tilt: true })], { away: [A] }),
      { do: 'fail-over', from: A },
      /is lost/,
    ],
    [
      'is left to the servers’ own election where the Sentinels have forgotten the replicas (trap 10)',
      view([bereft(B, 'refuses', forgot), bereft(C, 'refuses', forgot)], {
        away: [A],
        leaderlessMs: 21_000,
      }),
      { do: 'stop-sentinel' },
      /the servers choose the newest copy/,
    ],
    [
      'is not replaced on the word of one server alone: that one may be cut off',
      view([bereft(B, 'silent'), member(C, { redis: following(A), sentinel: sentinel(A) })], { away: [A] }),
      nothing,
      /waiting for the link/,
    ],
    [
      'is not replaced where its own server says that it runs',
      view([bereft(B, 'silent'), bereft(C, 'silent'), member(A, { redis: asMaster() })]),
      nothing,
      /waiting for the link/,
    ],
    [
      'is replaced once only',
      view([bereft(B, 'refuses'), bereft(C, 'refuses', { failover: true })], { away: [A] }),
      nothing,
      /waiting for the link/,
    ],
    [
      'is replaced by another if the Sentinel that does it has fallen into TILT over it',
      view([bereft(C, 'refuses'), bereft(B, 'refuses', { failover: true, tilt: true })], { away: [A] }),
      { do: 'fail-over', from: A },
      /is lost/,
    ],
    [
      'its other replica follows the promoted one before the Sentinels move it',
      view([bereft(C, 'refuses'), promoted], { away: [A] }),
      { do: 'follow', master: B },
      /have promoted 10.0.0.6/,
    ],
    [
      'and no master that no Sentinel has promoted',
      view([bereft(C, 'refuses'), { ...promoted, sentinel: sentinel(A) }], { away: [A] }),
      nothing,
      /waiting for the link/,
    ],
  ])('%s', check)
})

describe('where nobody is the master', () => {
  const elected = (ms: number, ...reports: [ServerReport, ...ServerReport[]]) =>
    view(reports, { leaderlessMs: ms })
  const newest = stopped(B, { epoch: 2, marker: 1, applied: 1 })
  test.each<Row>([
    [
      'the Sentinels are set aside when they have not chosen for long (trap 12)',
      view([orphan(B), orphan(C), member(A)], { leaderlessMs: 21_000 }),
      { do: 'stop-sentinel' },
      /newest copy/,
    ],
    [
      'and not while a failover is going on (trap 10)',
      view([orphan(B), member(C, { redis: lost(A), sentinel: sentinel(A, { failover: true }) }), member(A)], {
        leaderlessMs: 21_000,
      }),
      nothing,
      /Sentinels are choosing/,
    ],
    [
      'the Sentinels choose',
      view([orphan(B), orphan(C), member(A)], { leaderlessMs: 15_000 }),
      nothing,
      /Sentinels are choosing/,
    ],
    [
      'they are asked to if the lost master is back before they noticed (trap 7)',
      view([member(A, { redis: redis(), sentinel: sentinel(A) }), orphan(B), orphan(C)]),
      { do: 'ask-failover', of: B },
      /has died; a replica takes over/,
    ],
    [
      'a Sentinel that stands still (TILT) is not the one that is asked',
      view([
        member(A, { redis: redis(), sentinel: sentinel(A) }),
        member(B, { redis: lost(A), sentinel: sentinel(A, { tilt: true }) }),
        orphan(C),
      ]),
      { do: 'ask-failover', of: C },
      /has died; a replica takes over/,
    ],
    [
      'nor waited for, though it has begun',
      view([
        member(A, { redis: redis(), sentinel: sentinel(A) }),
        member(B, { redis: lost(A), sentinel: sentinel(A, { tilt: true, failover: true }) }),
        orphan(C),
      ]),
      { do: 'ask-failover', of: C },
      /has died; a replica takes over/,
    ],
    [
      'Sentinels that all stand still are not waited for: the servers elect, where the lost master is back',
      view([still(B), still(C), member(A, { redis: redis() })], { leaderlessMs: 4500 }),
      { do: 'stop-sentinel' },
      /the servers choose the newest copy/,
    ],
    [
      'and where its machine is gone',
      view([still(B, { lost: 'silent' }), still(C, { lost: 'silent' })], { away: [A], leaderlessMs: 4500 }),
      { do: 'stop-sentinel' },
      /the servers choose the newest copy/,
    ],
    [
      'but not where only the Sentinels do not see it',
      view([still(B), still(C)], { away: [A], leaderlessMs: 4500 }),
      nothing,
      /waiting for the link/,
    ],
    [
      'nobody is elected beside a former master that is seen',
      elected(
        9000,
        member(C, { redis: redis({ epoch: 2 }), sentinel: sentinel(B, { epoch: 2 }) }),
        member(B, { sentinel: sentinel(B, { epoch: 2 }) }),
        member(A, { redis: asMaster({ epoch: 1 }) }),
      ),
      nothing,
      /10.0.0.5 is a master from before/,
    ],
    ['a moment is waited', elected(1000, newest, stopped(A), stopped(C)), nothing, /looking again/],
    [
      'one alone decides nothing',
      view([stopped(A)], { away: [B, C], leaderlessMs: 99_000 }),
      nothing,
      /1 of 3 servers are here/,
    ],
    [
      'Sentinels without a replica to promote are set aside (trap 6)',
      elected(5000, member(B, { redis: redis(), sentinel: sentinel(A) }), stopped(A), stopped(C)),
      { do: 'stop-sentinel' },
      /newest copy/,
    ],
    [
      'so are those that name two different masters: they would choose for ever',
      elected(
        5000,
        member(A, { redis: redis({ epoch: 2 }), sentinel: sentinel(A) }),
        member(C, { redis: lost(B), sentinel: sentinel(B) }),
        stopped(B),
      ),
      { do: 'stop-sentinel' },
      /newest copy/,
    ],
    [
      'all of them, before anyone is promoted',
      elected(9000, newest, stopped(A), member(C, { redis: redis(), sentinel: sentinel(A) })),
      nothing,
      /other Sentinels are set aside/,
    ],
    [
      'the newest copy is promoted (trap 6)',
      elected(5000, newest, stopped(A, { marker: 99 }), stopped(C)),
      { do: 'promote', epoch: 3 },
      /newest copy/,
    ],
    [
      'by its own server only',
      elected(5000, stopped(A, { marker: 99 }), newest, stopped(C)),
      nothing,
      /10.0.0.6 has the newest copy/,
    ],
    [
      'two wait for the third',
      view([newest, stopped(A)], { away: [C], leaderlessMs: 5000 }),
      nothing,
      /third server, which may have the newest copy/,
    ],
    [
      'and not for ever',
      view([newest, stopped(A)], { away: [C], leaderlessMs: 9000 }),
      { do: 'promote', epoch: 3 },
      /newest copy/,
    ],
    [
      'servers that joined and copied nothing yet do not begin anew without the first',
      view([stopped(B, { clusterId: '' }), stopped(C, { clusterId: '' })], {
        away: [A],
        leaderlessMs: 60_000,
      }),
      nothing,
      /none of those present has a copy of the cluster/,
    ],
    [
      'they do with it, if it was lost before it wrote down which cluster it began',
      elected(
        9000,
        stopped(A, { clusterId: '' }),
        stopped(B, { clusterId: '', applied: 0 }),
        stopped(C, { clusterId: '', applied: 0 }),
      ),
      { do: 'promote', epoch: 2 },
      /newest copy/,
    ],
    [
      'the list decides between equals',
      elected(9000, stopped(A), stopped(B), stopped(C)),
      { do: 'promote', epoch: 2 },
      /newest copy/,
    ],
    [
      'the epoch is above every vote',
      elected(9000, stopped(A), { ...stopped(B), voted: 8 }, stopped(C)),
      { do: 'promote', epoch: 9 },
      /newest copy/,
    ],
    [
      'one that still loads is not here',
      view([stopped(A), stopped(B, { loading: true })], { away: [C], leaderlessMs: 9000 }),
      nothing,
      /1 of 3/,
    ],
  ])('%s', check)
})

describe('a new list', () => {
  const listed = (order: readonly string[], generation: number) => ({
    order,
    clusterId: CLUSTER,
    generation,
    formed: true,
  })
  const swapped = [B, A, C]
  const replaced = [A, B, D]
  const ready = { redis: following(A, { priority: 1 }), sentinel: sentinel(A, { ownPriority: 1 }) }
  const asked = (order: readonly string[], changed: Parameters<typeof healthy>[1] = {}, base = 1) =>
    healthy(A, { ...changed, [C]: { proposal: proposal(order, base), ...changed[C] } })
  const rejected = (why: RegExp): [Action, RegExp] => [
    { do: 'refuse', id: 'p', sentence: expect.stringMatching(why) },
    why,
  ]
  test.each<Row>([
    [
      'has its master prepare itself',
      view(asked(swapped)(B)),
      { do: 'prioritize', priority: 1 },
      /next master/,
    ],
    ['waits for that', view(asked(swapped)(A)), marks(A), /10.0.0.6 prepares/],
    [
      'waits until it has caught up',
      view(asked(swapped, { [A]: { redis: asMaster({ replicas: [{ ip: B, lag: 9, offset: 0 }] }) } })(A)),
      marks(A),
      /caught up/,
    ],
    [
      'waits for calm Sentinels (trap 12)',
      view(asked(swapped, { [B]: ready, [C]: { sentinel: sentinel(A, { tilt: true }) } })(A)),
      marks(A),
      /Sentinels are calm/,
    ],
    [
      'is then handed over to (trap 1)',
      view(asked(swapped, { [B]: ready })(A)),
      { do: 'switch-over', to: B },
      /is to be the master/,
    ],
    [
      'is written down by its master',
      view(asked([A, C, B])(A)),
      { do: 'commit', order: [A, C, B], generation: 2 },
      /10.0.0.5 10.0.0.7 10.0.0.6/,
    ],
    [
      'is not written down where no replica can confirm it',
      view(
        [
          member(A, {
            redis: asMaster({ replicas: [] }),
            sentinel: sentinel(A),
            proposal: proposal([A, C, B]),
          }),
        ],
        { away: [B, C] },
      ),
      marks(A),
      /waiting for a replica that can confirm/,
    ],
    ['that is the known one changes nothing (trap 20)', view(asked(ORDER)(A)), marks(A), /is the master/],
    [
      'is refused where another change came first (trap 19)',
      view(asked(swapped, {}, 0)(A)),
      ...rejected(/changed meanwhile/),
    ],
    [
      'is refused where its first is no replica',
      view(asked(swapped, { [A]: { redis: asMaster({ replicas: online(C) }) } })(A)),
      ...rejected(/not a replica that is online/),
    ],
    ['is refused where it replaces two', view(asked([A, D, '10.0.0.9'])(A)), ...rejected(/Only one server/)],
    [
      'is refused where a new server is the first',
      view(asked([D, B, C])(A)),
      ...rejected(/cannot be the first/),
    ],
    [
      'is refused without a quorum',
      view(
        asked(swapped, { [B]: ready, [A]: { sentinel: sentinel(A, { quorum: false, noQuorumMs: 700 }) } })(A),
      ),
      ...rejected(/no quorum/),
    ],
    [
      'waits where the Sentinel has had no quorum for a moment only',
      view(asked(swapped, { [B]: ready, [A]: { sentinel: sentinel(A, { quorum: false }) } })(A)),
      marks(A),
      /waiting until the Sentinel here sees the others/,
    ],
    [
      'is refused once',
      view(asked(swapped, { [A]: { refusal: { id: 'p', sentence: 'no' } } })(A)),
      marks(A),
      /is the master/,
    ],
    [
      'waits for a new server',
      view(asked(replaced)(A), { away: [D] }),
      marks(A),
      /waiting for 10.0.0.8: .*not running/,
    ],
    [
      'waits for the new server’s operator',
      view([...asked(replaced)(A), member(D, { desired: undefined })]),
      marks(A),
      /run netq config ts add server 10.0.0.5 10.0.0.6 10.0.0.8 there too/,
    ],
    [
      'takes the new server in',
      view(asked(replaced, { [B]: { greets: [D] } })(A)),
      { do: 'commit', order: replaced, generation: 2 },
      /10.0.0.8/,
    ],
    ['turns HA off', view(asked([A])(A)), { do: 'commit', order: [A], generation: 2 }, /10.0.0.5/],
    [
      'is taken over from another member',
      view(asked(ORDER, { [B]: { desired: listed(swapped, 2) } })(C)),
      { do: 'adopt', order: swapped, generation: 2 },
      /are 10.0.0.6/,
    ],
    [
      'is taken over from the store',
      view(healthy(A, { [B]: { redis: following(A, { generation: 2, servers: swapped }) } })(B)),
      { do: 'adopt', order: swapped, generation: 2 },
      /are 10.0.0.6/,
    ],
    [
      'of the store counts if two masters that did not see each other made one of the same number each',
      view(
        healthy(A, {
          [B]: { desired: listed([C, B, A], 2), redis: following(A, { generation: 2, servers: swapped }) },
        })(B),
      ),
      { do: 'adopt', order: swapped, generation: 2 },
      /are 10.0.0.6/,
    ],
    [
      'is not taken from a store without a link, which may be old',
      view(healthy(A, { [B]: { redis: lost(A, { generation: 2, servers: swapped }) } })(B)),
      nothing,
      /waiting for the link/,
    ],
    [
      'without this server ends its membership',
      view(asked(ORDER, { [A]: { desired: listed(replaced, 2) } })(C)),
      { do: 'retire' },
      /replaced/,
    ],
    ['that this server was told of ends it too', tells(A, [A, B, D])(C), { do: 'retire' }, /replaced/],
    [
      'of one server ends the cluster for the others',
      tells(A, [A])(C),
      { do: 'retire', ended: ended([A]) },
      /HA was turned off: 10.0.0.5 goes on alone/,
    ],
    [
      'of this server alone is followed once another has it: it would else go on beside those that do not know',
      view(healthy(A, { [A]: { redis: asMaster({ generation: 2, servers: [A] }) } })(A)),
      { do: 'commit', order: [A], generation: 2 },
      /waiting until a replica knows it too/,
    ],
    [
      'of this server alone is followed when one that has left because of it says so',
      tells(B, [A])(A),
      { do: 'leave', generation: 2 },
      /goes on alone/,
    ],
  ])('%s', check)
})

describe('a Sentinel that knows a server that is gone (trap 9)', () => {
  const stale = { sentinel: sentinel(A, { knows: [...ORDER, D] }) }
  const anew: Action = { do: 'stop-sentinel', strangers: [D] }
  test.each<Row>([
    ['is started anew', view(healthy(A, { [B]: stale })(B)), anew, /still knows 10.0.0.8/],
    [
      'after those before it in the list',
      view(healthy(A, { [B]: stale, [C]: stale })(C)),
      nothing,
      /a replica/,
    ],
    [
      'not twice in a row',
      view(healthy(A, { [B]: stale })(B), { sinceSentinelRestartMs: 5000, restartedFor: [D] }),
      nothing,
      /a replica/,
    ],
    [
      'at once where it is another one than last time',
      view(healthy(A, { [B]: stale })(B), { sinceSentinelRestartMs: 5000, restartedFor: ['10.0.0.9'] }),
      anew,
      /still knows 10.0.0.8/,
    ],
    [
      'not while the master is down (trap 10)',
      view([{ ...orphan(B), ...stale }, orphan(C)], { away: [A] }),
      nothing,
      /waiting for the link|choosing/,
    ],
    [
      'not while a failover is going on (trap 10)',
      view(healthy(A, { [B]: stale, [C]: { sentinel: sentinel(A, { failover: true }) } })(B)),
      nothing,
      /a replica/,
    ],
    [
      'not before the store has its epoch, which it would begin without (trap 11)',
      view(healthy(A, { [B]: { sentinel: sentinel(A, { knows: [...ORDER, D], epoch: 2 }) } })(B)),
      nothing,
      /a replica/,
    ],
  ])('%s', check)
})
