import fc from 'fast-check'
import type {
  ClusterList,
  Desired,
  Proposal,
  RedisReport,
  Seen,
  ServerReport,
  View,
} from '../../../src/cluster/types.ts'
import {
  A,
  B,
  C,
  CLUSTER,
  D,
  following,
  healthy,
  lost,
  member,
  ORDER,
  redis as redisOf,
  sentinel as sentinelOf,
  told,
} from './reports.ts'

const ips = [A, B, C, D] as const
const ip = fc.constantFrom(...ips)
const few = fc.nat(3)
/** Mostly small times, and the limits that the decision knows, so that both sides of each are reached. */
const ms = fc.oneof(fc.constantFrom(0, 1499, 1500, 4000, 5000, 5001, 8000, 30_000), fc.nat(60_000))
const order = fc.oneof(
  { weight: 3, arbitrary: fc.constant(ORDER) },
  { weight: 2, arbitrary: fc.shuffledSubarray([...ips], { minLength: 3, maxLength: 3 }) },
)

/** A field that may be missing. */
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 4 })

const redis: fc.Arbitrary<RedisReport> = fc
  .record({
    role: fc.constantFrom('master' as const, 'replica' as const),
    follows: maybe(ip),
    linkUp: fc.boolean(),
    everLinked: fc.boolean(),
    loading: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.boolean()),
    syncing: fc.option(fc.nat(100), { nil: undefined, freq: 1 }),
    diskOk: fc.boolean(),
    offset: few,
    replicas: fc.uniqueArray(fc.record({ ip, lag: few, offset: few }), {
      selector: (r) => r.ip,
      maxLength: 3,
    }),
    minReplicas: fc.constantFrom(0, 1),
    priority: fc.constantFrom(1, 100),
    epoch: few,
    marker: few,
    markerTime: few,
    applied: few,
    clusterId: fc.constantFrom(CLUSTER, CLUSTER, ''),
    generation: few,
    servers: fc.oneof(order, fc.constant([])),
  })
  .map(clean) as fc.Arbitrary<RedisReport>

const sentinel = fc
  .record({
    master: ip,
    epoch: few,
    replicas: few,
    others: few,
    knows: fc.subarray([...ips]),
    quorum: fc.boolean(),
    noQuorumMs: ms,
    ownPriority: maybe(fc.constantFrom(1, 100)),
    tilt: fc.boolean(),
    failover: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.boolean()),
    masterDown: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.boolean()),
  })
  .map(clean)

const desired: fc.Arbitrary<Desired> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      order,
      clusterId: fc.constantFrom(CLUSTER, CLUSTER, CLUSTER, 'other'),
      generation: few,
      formed: fc.constant(true),
    }),
  },
  {
    weight: 1,
    arbitrary: order.map((o) => ({ order: o, clusterId: '', generation: 0, formed: false })),
  },
)

/** What a server that is not this one's peer any more tells of the cluster. */
const newer: fc.Arbitrary<ClusterList> = fc.record({
  clusterId: fc.constant(CLUSTER),
  generation: few,
  order: fc.oneof(
    order,
    ip.map((one) => [one]),
  ),
})

const id = fc.constantFrom('p', 'q')
const proposal: fc.Arbitrary<Proposal> = fc.record({ id, order, base: few, at: few })

/** What a server may say besides its name, each part more or less often. */
function parts(often: number, rarely: number) {
  const some = <T>(arbitrary: fc.Arbitrary<T>, share: number) =>
    fc.integer({ min: 1, max: 100 }).chain((n) => (n <= share ? arbitrary : fc.constant(undefined)))
  return fc.record({
    greets: some(fc.subarray([D]), often),
    voted: some(few, often),
    desired: some(desired, often),
    proposal: some(proposal, often),
    refusal: some(fc.record({ id, sentence: fc.constant('no') }), rarely),
    redis: some(redis, often),
    redisProblem: some(fc.constant('redis runs, but it does not answer'), rarely),
    sentinel: some(sentinel, often),
    sentinelProblem: some(fc.constant('it does not answer'), rarely),
  })
}

function report(of: string): fc.Arbitrary<ServerReport> {
  return parts(80, 20).map(
    (all) => clean({ ...member(of, { desired: undefined }), ...clean(all) }) as ServerReport,
  )
}

const ready = {
  redis: following(A, { priority: 1 }),
  sentinel: sentinelOf(A, { ownPriority: 1 }),
}
const asked = (list: readonly string[]) => ({ proposal: { id: 'r', order: list, base: 1, at: 0 } })
/** Situations of a cluster's life, as the three servers report them. */
const situations: readonly (readonly ServerReport[])[] = [
  healthy(A)(A),
  healthy(A, { [B]: ready, [C]: asked([B, A, C]) })(A),
  healthy(A, { [B]: asked([A, C, B]) })(A),
  ORDER.map((of) => told(of, ORDER)),
  ORDER.map((of) => member(of, { redis: redisOf() })),
  ORDER.map((of) =>
    member(of, of === A ? {} : { redis: lost(A), sentinel: sentinelOf(A, { masterDown: true }) }),
  ),
]

/** One of them, with some of it otherwise. */
const near: fc.Arbitrary<Map<string, Seen>> = fc
  .tuple(
    fc.constantFrom(...situations),
    fc.tuple(parts(8, 3), parts(8, 3), parts(8, 3)),
    fc.subarray([A, B, C], { minLength: 2 }),
    seen(D),
  )
  .map(([three, changes, answering, fourth]) => {
    const reports = three.map((one, i) => clean({ ...one, ...clean(changes[i]!) }) as ServerReport)
    const all = reports.map((one): [string, Seen] => [
      one.ip,
      answering.some((ip) => ip === one.ip) ? { report: one } : { unreachable: 'it does not answer' },
    ])
    return new Map<string, Seen>([...all, [D, fourth]])
  })

const peers = fc
  .tuple(...ips.map((of) => fc.tuple(fc.constant(of), seen(of), fc.boolean())))
  .map((all) => new Map(all.flatMap(([of, one, asked]) => (asked || of !== D ? [[of, one] as const] : []))))

function seen(of: string): fc.Arbitrary<Seen> {
  return fc.oneof(
    { weight: 4, arbitrary: report(of).map((one) => ({ report: one })) },
    { weight: 1, arbitrary: fc.constant({ unreachable: 'it does not answer' }) },
    { weight: 1, arbitrary: newer.map((list) => ({ unreachable: 'it was replaced', newer: list })) },
  )
}

/** Anything that a server may ever see, possible or not. Its own list, if it has one, has it in it or not. */
export const anyView: fc.Arbitrary<View> = fc
  .record({
    self: fc.constantFrom(A, B, C),
    own: fc.tuple(report(A), report(B), report(C)),
    peers: fc.oneof({ weight: 1, arbitrary: peers }, { weight: 2, arbitrary: near }),
    leaderlessMs: ms,
    sinceOwnMasterDiedMs: maybe(ms),
    rivalMs: ms,
    sinceSentinelRestartMs: ms,
    restartedFor: fc.subarray([...ips]),
    strayMs: ms,
    settled: fc.boolean(),
  })
  .map(({ self, own, peers: all, ...rest }) => {
    const answer = all.get(self)!
    const mine = 'report' in answer ? answer.report : own.find((one) => one.ip === self)!
    const others = new Map([...all].filter(([of]) => of !== self))
    return clean({ self, mine, peers: others, ...rest }) as View
  })

/** Reports have no field that is undefined. */
function clean<T extends object>(record: T): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T
}
