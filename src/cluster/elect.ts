import { highestEpoch, majorityOf, mastersAmong, nothing, type Reports } from './picture.ts'
import type { Decision, ServerReport, View } from './types.ts'

/** How long an election waits for the third server when only two are there, in milliseconds. */
const WAIT_FOR_THIRD_MS = 8000
/** How long nobody must have been the master before Sentinels are set aside for an election. */
const LEADERLESS_MS = 4000

/**
 * For how long the Sentinels may try to replace a lost master, in milliseconds. They never do it after a TILT of 30 s,
 * in which every replica's link has been down for longer than they allow (10 x down-after), nor after a RESET, which
 * forgets the replicas.
 */
const SENTINELS_TRY_MS = 20_000

/**
 * Whether the Sentinel there is replacing the master. One whose clock was set, or that was held up in its own failover, stands
 * still for 30 s (TILT), and another one begins anew (25 and 35 s without a master, measured).
 */
const isReplacing = ({ sentinel }: ServerReport) => sentinel?.failover === true && !sentinel.tilt

/**
 * Whether the Sentinels have not replaced the lost master `named` for so long that the servers choose another, or cannot, as
 * all of them stand still. That its cts-auth cannot be asked is not enough: no replica has a link to it, and every Sentinel
 * holds it for lost (or its server does, where it stands still).
 */
export function givenUp(view: View, reports: Reports, named: string): boolean {
  const seen = [...reports.values()]
  const tried = view.leaderlessMs > SENTINELS_TRY_MS && !seen.some(isReplacing)
  const stuck = seen.every((r) => !r.sentinel || r.sentinel.tilt)
  const isLost = ({ sentinel, redis }: ServerReport) =>
    !sentinel || sentinel.masterDown || (sentinel.tilt && redis?.lost !== undefined)
  const gone = reports.get(named)?.redis?.role === 'replica' || seen.every(isLost)
  return (
    (tried || stuck) &&
    gone &&
    !seen.some((r) => r.redis?.linkUp) &&
    reports.get(named)?.redis?.role !== 'master'
  )
}

/** This server is up as a replica, and nobody that it sees is the master. */
export function leaderless(
  view: View,
  reports: Reports,
  order: readonly string[],
  named: string | undefined,
): Decision {
  const { mine, self } = view
  const present = [...reports.values()].filter((r) => r.redis && !r.redis.loading)
  // Replicas that lost their master a moment ago are the Sentinels' business: they promote the best of them.
  // Those that do not agree on whom they lost never will.
  const sentinelsCan =
    named !== undefined &&
    !givenUp(view, reports, named) &&
    present.some((r) => r.redis!.everLinked && r.ip !== named)
  if (sentinelsCan) {
    // A master that comes back faster than its loss is noticed answers their pings, and would not be replaced for 20 s.
    const asked = named === self && mine.redis!.follows === undefined ? askFailover(self, reports) : undefined
    return asked ?? nothing('no master; the Sentinels are choosing one')
  }
  const [former] = mastersAmong(reports)
  if (former !== undefined)
    return nothing(`${former} is a master from before; the Sentinels are choosing one`)
  if (view.leaderlessMs < LEADERLESS_MS) return nothing('no master is seen; looking again')
  if (present.length < majorityOf(order.length)) {
    return nothing(
      `no master, and ${present.length} of ${order.length} servers are here: waiting for one more`,
    )
  }
  if (mine.sentinel) {
    return {
      action: { do: 'stop-sentinel' },
      why: 'no master, and no replica that the Sentinels could promote: the servers choose the newest copy',
    }
  }
  if (present.some((r) => r.sentinel)) return nothing('waiting until the other Sentinels are set aside')
  if (present.length < order.length && view.leaderlessMs < WAIT_FOR_THIRD_MS) {
    return nothing('no master; waiting a moment for the third server, which may have the newest copy')
  }
  const newest = present.reduce((best, r) => (newerCopy(r, best, order) ? r : best))
  // Servers that have joined and copied nothing yet must not begin anew: all there is may be on the first one.
  if (newest.redis!.clusterId !== mine.desired!.clusterId && present.length < order.length) {
    return nothing(
      'no master, and none of those present has a copy of the cluster yet: waiting for the others',
    )
  }
  if (newest.ip !== self) return nothing(`${newest.ip} has the newest copy and is to be the master`)
  return {
    action: { do: 'promote', epoch: highestEpoch(reports) + 1 },
    why: 'this server has the newest copy of those present',
  }
}

/**
 * The master is lost, and a majority of the servers has found that out: the Sentinel of the first of them replaces it,
 * without waiting until every Sentinel holds it for lost. One asks, so that no two Sentinels vote for themselves, which
 * costs 5 s (measured on a busy machine: 2 of 5 failovers).
 */
export function replaceLost(
  view: View,
  members: Reports,
  order: readonly string[],
  named: string | undefined,
): Decision | undefined {
  const { mine, self } = view
  if (named === undefined || mine.redis?.follows !== named || !mine.redis.lost) return undefined
  if (givenUp(view, members, named)) return undefined
  // What its own server sees counts more than what others do not.
  if (members.get(named)?.redis || mastersAmong(members).length > 0) return undefined
  if ([...members.values()].some(isReplacing)) return undefined
  const agreed = order.filter((ip) => {
    const redis = members.get(ip)?.redis
    return redis?.follows === named && redis.lost !== undefined
  })
  if (agreed.length < majorityOf(order.length)) return undefined
  const able = agreed.filter((ip) => {
    const { sentinel, redis } = members.get(ip)!
    // One that was told to forget its replicas (RESET) has none to promote.
    return sentinel?.master === named && sentinel.replicas > 0 && !sentinel.tilt && redis!.everLinked
  })
  if (able[0] === undefined) return undefined
  if (able[0] !== self) return nothing(`${named} is lost; the Sentinel of ${able[0]} replaces it`)
  return {
    action: { do: 'fail-over', from: named },
    why: `${named} is lost: ${agreed.join(' and ')} cannot reach it`,
  }
}

/**
 * In a failover the Sentinels read the roles once a second, and only then move the other replica, without which the new
 * master takes no writes. Which one was promoted can be seen at once, and so it is followed at once.
 */
export function followPromoted(
  { mine, self }: View,
  members: Reports,
  masters: readonly string[],
): Decision | undefined {
  const redis = mine.redis!
  const [promoted] = masters
  if (redis.follows === undefined || redis.linkUp || promoted === undefined || promoted === self)
    return undefined
  if (masters.includes(redis.follows) || masters.length > 1) return undefined
  const byThem = [...members.values()].some(
    ({ sentinel }) => sentinel?.failover || sentinel?.master === promoted,
  )
  if (!byThem || promoted === redis.follows) return undefined
  return { action: { do: 'follow', master: promoted }, why: `the Sentinels have promoted ${promoted}` }
}

/** Whether a's copy is newer than b's; equal copies are ordered by the operator's list. */
export function newerCopy(a: ServerReport, b: ServerReport, order: readonly string[]): boolean {
  const by = (r: ServerReport) => [r.redis!.epoch, r.redis!.marker, r.redis!.applied, -order.indexOf(r.ip)]
  const [x, y] = [by(a), by(b)]
  const i = x.findIndex((value, at) => value !== y[at])
  return i >= 0 && x[i]! > y[i]!
}

/** The master of this server is certainly gone: the first other server's Sentinel is asked to promote without waiting. */
export function askFailover(self: string, members: Reports): Decision | undefined {
  const others = [...members.values()].filter((r) => r.ip !== self)
  if (others.some(isReplacing)) return undefined
  const replicas = others.filter((r) => r.redis?.role === 'replica')
  if (!replicas.some((r) => r.redis!.everLinked)) return undefined
  const able = replicas.filter((r) => r.sentinel && !r.sentinel.tilt && r.sentinel.replicas > 0)
  const helper = able.find((r) => r.redis!.everLinked) ?? able[0]
  if (!helper) return undefined
  return {
    action: { do: 'ask-failover', of: helper.ip },
    why: 'the master here has died; a replica takes over',
  }
}
