import type { Decision, Seen, SentinelReport, ServerReport, View } from './types.ts'

/**
 * What this server does next: a pure function of what is seen, so that it can be tested from any state. It acts on its
 * own Redis and Sentinel only; the servers agree because they decide by the same rules from the same reports.
 *
 * A server lives through: alone (no list: a master of its own) -> waiting (it has a list, the others are not there yet
 * or were told another one) -> member. A member's Redis is always *started* as a replica: of the master, if a majority
 * of Sentinels names one or exactly one is seen, and else of nobody ("fenced"). So what starts never writes; only a
 * Sentinel's failover or, when all were down, the election below makes a master. That prevents the old master that
 * comes back as a second one, and the empty one that comes back as the only one.
 *
 * Election after a full stop (nobody is a master, no Sentinel runs): the newest copy by (epoch, marker, applied) is
 * promoted by its own server once a majority is present; every member gives one vote an epoch (act.ts), so that two
 * halves that see each other badly cannot elect two.
 */
export function decide(view: View): Decision {
  const desired = view.mine.desired
  if (!desired) return alone(view)
  if (!desired.formed) return waiting(view, desired.order)
  return member(view, desired.order)
}

/** How long an election waits for the third server when only two are there, in milliseconds. */
const WAIT_FOR_THIRD_MS = 8000
/** How long a dead master's own server leaves it to the Sentinels to replace it before it starts it again, fenced. */
const LEAVE_TO_SENTINELS_MS = 5000
/** How long a replica may follow another than the named master: in a failover the Sentinels move it before they say so. */
const STRAY_MS = 5000
/** How long nobody must have been the master before Sentinels are set aside for an election. */
const LEADERLESS_MS = 4000

function alone({ mine, settled }: View): Decision {
  const { redis, sentinel } = mine
  if (sentinel) return { action: { do: 'stop-sentinel' }, why: 'HA is off: a Sentinel has nothing to watch' }
  if (!redis) {
    if (mine.redisProblem) return nothing(mine.redisProblem)
    return { action: { do: 'start-redis', as: 'master' }, why: 'HA is off and Redis is not running' }
  }
  if (redis.role !== 'master') {
    return {
      action: { do: 'promote', epoch: redis.epoch + 1 },
      why: 'HA is off: the only server is the master',
    }
  }
  if (!settled)
    return { action: { do: 'settle', minReplicas: 0 }, why: 'the settings are not those of a single server' }
  return { action: { do: 'mark', roles: { [mine.ip]: 'master' } }, why: 'a single server, and in order' }
}

function waiting(view: View, order: readonly string[]): Decision {
  const { mine, self } = view
  const base = alone(view)
  if (base.action.do !== 'mark' || !mine.redis) return base
  // Until all three are there, this server goes on as it is, and says what it waits for.
  const wait = (why: string): Decision => ({ ...base, why })
  const begun = [...reportsOf(view).values()].find(
    (r) => r.ip !== self && r.desired?.formed && r.desired.order.join(' ') === order.join(' '),
  )
  // Also for a first server that lost its disk: the cluster goes on without it, and it must not begin another one.
  if (begun) return { action: { do: 'join', member: begun.ip }, why: `${begun.ip} is in the cluster already` }
  for (const ip of order.filter((other) => other !== self)) {
    const seen = view.peers.get(ip)
    if (!seen || 'unreachable' in seen)
      return wait(`waiting for ${ip}: ${seen?.unreachable ?? 'not asked yet'}`)
    const theirs = seen.report.desired?.order
    if (!theirs) return wait(`waiting for ${ip}: run netq config ts add server ${order.join(' ')} there too`)
    if (theirs.join(' ') !== order.join(' ')) {
      return wait(`${ip} was given another list, ${theirs.join(' ')}; this server has ${order.join(' ')}`)
    }
  }
  const reports = reportsOf(view)
  if (order[0] === self) {
    const holder = [...reports.values()].find((r) => r.ip !== self && (r.redis?.applied ?? 0) > 0)
    if (holder && mine.redis.applied === 0) {
      return wait(`${holder.ip} holds data and ${self} holds none: put ${holder.ip} first in the list`)
    }
    return { action: { do: 'form' }, why: 'all three servers were given the same list' }
  }
  return wait(`waiting for ${order[0]} to begin`)
}

function member(view: View, order: readonly string[]): Decision {
  const { mine, self } = view
  const reachable = reportsOf(view)
  const clusterId = mine.desired!.clusterId
  const members = new Map(
    [...reachable].filter(([, r]) => r.desired?.formed && r.desired.clusterId === clusterId),
  )
  const named = namedBySentinels(members)?.ip
  const masters = [...members.values()].filter((r) => r.redis?.role === 'master').map((r) => r.ip)
  const master = currentMaster(members, named, masters)
  const redis = mine.redis

  if (!redis) {
    if (mine.redisProblem) return nothing(mine.redisProblem)
    return startMember(view, members, named, master)
  }
  if (redis.loading) return nothing('Redis is loading its data')

  const startsSentinel = master !== undefined && !mine.sentinel && !mine.sentinelProblem
  const sentinelDue = startsSentinel && readyForSentinel(view, members, reachable.size, master)

  if (redis.role === 'master') {
    // Only a master that is seen at work takes this one's place: in the middle of a failover the Sentinels still
    // name the dead one, and the replica that they have just promoted must not go back to it.
    if (master !== undefined && master !== self && masters.includes(master)) {
      return {
        action: { do: 'follow', master },
        why: `${master} is the master by a newer decision than this server's`,
      }
    }
    if (sentinelDue) return startSentinel(members, self, 'the master has its replicas')
    const minReplicas = redis.replicas.length > 0 || redis.minReplicas > 0 ? 1 : 0
    if (!view.settled || redis.minReplicas !== minReplicas) {
      return { action: { do: 'settle', minReplicas }, why: 'the settings are not those of the master' }
    }
    const roles = Object.fromEntries(order.map((ip) => [ip, ip === self ? 'master' : 'replica']))
    return { action: { do: 'mark', roles }, why: 'this server is the master' }
  }

  if (master === undefined) return leaderless(view, members, order, named)
  const fenced = redis.follows === undefined
  const stray = redis.follows !== master && masters.includes(master) && view.strayMs > STRAY_MS
  if (fenced || stray) return { action: { do: 'follow', master }, why: `${master} is the master` }
  if (sentinelDue) return startSentinel(members, master, `${master} is the master and this server follows it`)
  return nothing(redis.linkUp ? `a replica of ${redis.follows}` : `waiting for the link to ${redis.follows}`)
}

/** The Redis of a member is not running: as what is it started? */
function startMember(
  view: View,
  reports: ReadonlyMap<string, ServerReport>,
  named: string | undefined,
  master: string | undefined,
): Decision {
  const { self } = view
  if (master !== undefined && master !== self) {
    return {
      action: { do: 'start-redis', as: { replicaOf: master } },
      why: `Redis is not running; ${master} is the master`,
    }
  }
  const died = view.sinceOwnMasterDiedMs
  if (named === self && died !== undefined && died < LEAVE_TO_SENTINELS_MS) {
    return (
      askFailover(self, reports) ?? nothing('the master process here has died; leaving it to the Sentinels')
    )
  }
  return {
    action: { do: 'start-redis', as: 'fenced' },
    why: 'Redis is not running, and no other server is the master',
  }
}

/** This server is up as a replica, and nobody that it sees is the master. */
function leaderless(
  view: View,
  reports: ReadonlyMap<string, ServerReport>,
  order: readonly string[],
  named: string | undefined,
): Decision {
  const { mine, self } = view
  const present = [...reports.values()].filter((r) => r.redis && !r.redis.loading)
  const majority = Math.floor(order.length / 2) + 1
  // Replicas that lost their master a moment ago are the Sentinels' business: they promote the best of them.
  const sentinels = [...reports.values()].filter((r) => r.sentinel)
  const sentinelsCan =
    sentinels.length >= majority && present.some((r) => r.redis!.everLinked && r.ip !== named)
  if (sentinelsCan) {
    // A master that comes back faster than its loss is noticed answers their pings, and would not be replaced for 20 s.
    const asked = named === self && mine.redis!.follows === undefined ? askFailover(self, reports) : undefined
    return asked ?? nothing('no master; the Sentinels are choosing one')
  }
  if (view.leaderlessMs < LEADERLESS_MS) return nothing('no master is seen; looking again')
  if (present.length < majority) {
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
  const newest = present.reduce((best, r) => (newer(r, best, order) ? r : best))
  if (newest.ip !== self) return nothing(`${newest.ip} has the newest copy and is to be the master`)
  return {
    action: { do: 'promote', epoch: highestEpoch(reports) + 1 },
    why: 'this server has the newest copy of those present',
  }
}

/** Whether a's copy is newer than b's; equal copies are ordered by the operator's list. */
function newer(a: ServerReport, b: ServerReport, order: readonly string[]): boolean {
  const by = (r: ServerReport) => [r.redis!.epoch, r.redis!.marker, r.redis!.applied, -order.indexOf(r.ip)]
  const [x, y] = [by(a), by(b)]
  const i = x.findIndex((value, at) => value !== y[at])
  return i >= 0 && x[i]! > y[i]!
}

/** The master of this server is certainly gone: the first other server's Sentinel is asked to promote without waiting. */
function askFailover(self: string, members: ReadonlyMap<string, ServerReport>): Decision | undefined {
  const others = [...members.values()].filter((r) => r.ip !== self)
  if (others.some((r) => r.sentinel?.failover)) return undefined
  const helper = others.find((r) => r.sentinel && r.redis?.role === 'replica' && r.redis.everLinked)
  if (!helper) return undefined
  return {
    action: { do: 'ask-failover', of: helper.ip },
    why: 'the master here has died; a replica takes over',
  }
}

/**
 * Sentinels start last, on a server that is the master or linked to it: the first of them when every reachable server
 * is online as a replica, so that none begins with an incomplete picture.
 */
function readyForSentinel(
  view: View,
  members: ReadonlyMap<string, ServerReport>,
  reachable: number,
  master: string,
): boolean {
  const first = ![...members.values()].some((r) => r.sentinel)
  const online = members.get(master)?.redis?.replicas.length ?? 0
  return (
    (view.self === master || view.mine.redis!.linkUp) && online >= (first ? Math.max(1, reachable - 1) : 1)
  )
}

function startSentinel(reports: ReadonlyMap<string, ServerReport>, master: string, why: string): Decision {
  return { action: { do: 'start-sentinel', master, epoch: highestEpoch(reports) }, why }
}

function highestEpoch(reports: ReadonlyMap<string, ServerReport>): number {
  return Math.max(
    0,
    ...[...reports.values()].flatMap((r) => [r.voted, r.redis?.epoch ?? 0, r.sentinel?.epoch ?? 0]),
  )
}

/** The master that a majority of the cluster's Sentinels names, with the epoch they name it in. */
export function namedBySentinels(
  reports: ReadonlyMap<string, ServerReport>,
): { ip: string; epoch: number } | undefined {
  const votes = new Map<string, SentinelReport[]>()
  for (const { sentinel } of reports.values()) {
    if (sentinel) votes.set(sentinel.master, [...(votes.get(sentinel.master) ?? []), sentinel])
  }
  for (const [ip, sentinels] of votes) {
    if (sentinels.length >= 2) return { ip, epoch: Math.max(...sentinels.map((s) => s.epoch)) }
  }
  return undefined
}

/**
 * Who is the master now. A majority of Sentinels decides, if what it names is a master, or cannot be asked; without a
 * majority, the only master that is seen, or of several the one with the newest epoch.
 */
function currentMaster(
  reports: ReadonlyMap<string, ServerReport>,
  named: string | undefined,
  masters: readonly string[],
): string | undefined {
  if (named !== undefined) {
    if (masters.includes(named)) return named
    const report = reports.get(named)
    if (!report) return named
  }
  const epochOf = (ip: string) => reports.get(ip)!.redis!.epoch
  return [...masters].sort((a, b) => epochOf(b) - epochOf(a))[0]
}

function reportsOf(view: View): Map<string, ServerReport> {
  const all = new Map<string, ServerReport>([[view.self, view.mine]])
  for (const [ip, seen] of view.peers as ReadonlyMap<string, Seen>)
    if ('report' in seen) all.set(ip, seen.report)
  return all
}

function nothing(why: string): Decision {
  return { action: { do: 'nothing' }, why }
}
