import { decideChange, wantedMaster } from './change.ts'
import { askFailover, followPromoted, givenUp, leaderless, newerCopy, replaceLost } from './elect.ts'
import {
  currentMaster,
  failingOver,
  mastersAmong,
  membersOf,
  namedBySentinels,
  nothing,
  open,
  type Reports,
  reportsOf,
  startSentinel,
} from './picture.ts'
import { renew } from './renew.ts'
import { putAside, restoreAlone } from './restoring.ts'
import type { Decision, View } from './types.ts'

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

/** How long a dead master's own server leaves it to the Sentinels to replace it before it starts it again, fenced. */
const LEAVE_TO_SENTINELS_MS = 7000
/** What an operator does about a server whose configuration is gone. */
const LOST = 'and what it knew of that is lost: run netq config ts add server with the servers of the cluster'
/** How long two may say that they are the master before the older one gives way, in milliseconds. */
const RIVAL_MS = 1500
/** For the same strangers a Sentinel is started anew at most this often, in milliseconds: they may name themselves again. */
const SENTINEL_RESTART_MS = 30_000
/** How long a replica may follow another than the named master: in a failover the Sentinels move it before they say so. */
const STRAY_MS = 5000

function alone(view: View): Decision {
  const { mine, settled } = view
  const { redis, sentinel } = mine
  if (redis?.loading) return nothing('Redis is loading its data')
  if (redis?.closed) return open
  // cluster.json is gone, the data is not: to go on alone with it would make a second cluster.
  if (redis && redis.clusterId !== '' && redis.clusterId !== mine.left?.clusterId) {
    return nothing(`the data here belong to the cluster ${redis.clusterId}, ${LOST}`)
  }
  if (sentinel) return { action: { do: 'stop-sentinel' }, why: 'HA is off: a Sentinel has nothing to watch' }
  if (!redis) {
    if (mine.redisProblem) return nothing(mine.redisProblem)
    return { action: { do: 'start-redis', as: 'fenced' }, why: 'HA is off and Redis is not running' }
  }
  if (mine.outdated?.includes('redis')) {
    return { action: { do: 'stop-redis' }, why: 'Redis has the settings of another version: it starts anew' }
  }
  if (redis.role !== 'master') {
    return { action: { do: 'promote-alone' }, why: 'HA is off: the only server is the master' }
  }
  if (!settled)
    return { action: { do: 'settle', minReplicas: 0 }, why: 'the settings are not those of a single server' }
  return restoreAlone(view, 'a single server, and in order')
}

function waiting(view: View, order: readonly string[]): Decision {
  const { mine, self } = view
  const begun = [...reportsOf(view).values()].find(
    (r) =>
      r.ip !== self &&
      r.desired?.formed &&
      r.desired.order.join(' ') === order.join(' ') &&
      r.desired.clusterId !== mine.left?.clusterId,
  )
  const own = (mine.redis?.applied ?? 0) > 0 && mine.redis?.clusterId !== begun?.desired?.clusterId
  if (begun && own && order[0] === self) {
    return nothing(
      `${begun.ip} is in a cluster of this list already, and ${self} holds data of its own: put ${begun.ip} first`,
    )
  }
  // Also for a first server that lost its disk: the cluster goes on without it, and it must not begin another one.
  if (begun) return { action: { do: 'join', member: begun.ip }, why: `${begun.ip} is in the cluster already` }
  const base = alone(view)
  if (base.action.do !== 'mark' || !mine.redis) return base
  // Until all three are there, this server goes on as it is, and says what it waits for.
  const wait = (why: string): Decision => ({ ...base, why })
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
  const members = membersOf(view)
  const agreed = namedBySentinels(members)
  const named = agreed?.ip
  // One whose copy is older than the Sentinels' choice was the master before it: frozen or cut off, and back now.
  // The newest copy comes first, so that all choose the same of two.
  const masters = mastersAmong(members)
    .filter((ip) => ip === named || members.get(ip)!.redis!.epoch >= (agreed?.epoch ?? 0))
    .sort((a, b) => (newerCopy(members.get(a)!, members.get(b)!, order) ? -1 : 1))
  const master = currentMaster(members, named, masters)
  const redis = mine.redis

  const newer = newerConfiguration(view, members)
  if (newer) return newer
  if (!redis) {
    if (mine.redisProblem) return nothing(mine.redisProblem)
    return startMember(view, members, named, master)
  }
  if (redis.loading) return nothing('Redis is loading its data')
  if (redis.closed) return open

  const startsSentinel = master !== undefined && !mine.sentinel && !mine.sentinelProblem
  const sentinelDue = startsSentinel && readyForSentinel(view, members, reportsOf(view).size, master)
  const staleSentinel = staleMembers(view, members, order, master)
  if (staleSentinel) return staleSentinel
  const renewal = renew(view, members, order)
  if (renewal) return renewal
  const priority = wantedMaster(view, members) === self && redis.role === 'replica' ? 1 : 100
  if (redis.priority !== priority && !(named !== self && redis.role === 'master')) {
    const why =
      priority === 1 ? 'this server is to be the next master' : 'all servers have equal priority again'
    return { action: { do: 'prioritize', priority }, why }
  }

  if (redis.role === 'master') {
    // Only a master that is seen at work takes this one's place: in the middle of a failover the Sentinels still
    // name the dead one, and the replica that they have just promoted must not go back to it.
    // And not at once: in a switchover two are masters for a few milliseconds, and only the first is seen as one.
    if (master !== undefined && master !== self && masters.includes(master)) {
      if (view.rivalMs < RIVAL_MS || failingOver(members)) {
        return nothing(`${master} says that it is the master too; looking again`)
      }
      return {
        action: { do: 'follow', master },
        why: `${master} is the master by a newer decision than this server's`,
      }
    }
    if (named !== undefined && named !== self && members.get(named)?.redis?.follows === self) {
      if (failingOver(members)) return nothing('the Sentinels are told of the switchover')
      return {
        action: { do: 'finish-switchover' },
        why: `${named} has handed over to this server; the Sentinels are told`,
      }
    }
    if (sentinelDue) return startSentinel(members, self, 'the master has its replicas')
    const minReplicas = redis.replicas.length > 0 || redis.minReplicas > 0 ? 1 : 0
    if (!view.settled || redis.minReplicas !== minReplicas) {
      return { action: { do: 'settle', minReplicas }, why: 'the settings are not those of the master' }
    }
    const change = decideChange(view, members, order)
    if (change && 'action' in change) return change
    const roles = Object.fromEntries(order.map((ip) => [ip, ip === self ? 'master' : 'replica']))
    return { action: { do: 'mark', roles }, why: change?.wait ?? 'this server is the master' }
  }

  const change = followPromoted(view, members, masters) ?? replaceLost(view, members, order, named)
  if (change) return change
  if (master === undefined || givenUp(view, members, master)) return leaderless(view, members, order, named)
  const fenced = redis.follows === undefined
  const followed = redis.follows === undefined ? undefined : members.get(redis.follows)?.redis
  // Without Sentinels that agree nobody else moves it, and they do not start before every replica is online.
  const forgotten = named === undefined && (!redis.linkUp || followed?.role === 'replica')
  const stray = redis.follows !== master && masters.includes(master) && (forgotten || view.strayMs > STRAY_MS)
  if (fenced || stray) return { action: { do: 'follow', master }, why: `${master} is the master` }
  if (sentinelDue) return startSentinel(members, master, `${master} is the master and this server follows it`)
  return redis.linkUp
    ? (putAside(view) ?? nothing(`a replica of ${redis.follows}`))
    : nothing(`waiting for the link to ${redis.follows}`)
}

/** The store and the other members say which configuration is the newest; a server that is not in it any more leaves. */
function newerConfiguration(view: View, members: Reports): Decision | undefined {
  const { redis, desired } = view.mine
  const current = redis && (redis.role === 'master' || redis.linkUp) && redis.clusterId === desired!.clusterId
  const stored =
    current && redis.servers.length > 0 ? { order: redis.servers, generation: redis.generation } : undefined
  // The store's comes first: of two lists of one generation, made by two masters that did not see each other, it counts.
  const known = [
    ...(stored ? [stored] : []),
    ...[...view.peers.values()].flatMap(({ newer }) => newer ?? []),
    ...[...members.values()].map((r) => r.desired!),
  ]
  const newest = known.reduce((best, one) => (one.generation > best.generation ? one : best))
  const differs = newest === stored && newest.order.join(' ') !== desired!.order.join(' ')
  const isNewer =
    newest.generation > desired!.generation || (differs && newest.generation === desired!.generation)
  if (!isNewer) return undefined
  const { order, generation } = newest
  if (order.join() === view.self) return goOnAlone(view, generation)
  if (order.length === 1) {
    const ended = { clusterId: desired!.clusterId, generation, order }
    return { action: { do: 'retire', ended }, why: `HA was turned off: ${order[0]} goes on alone` }
  }
  if (!order.includes(view.self)) {
    return { action: { do: 'retire' }, why: 'this server was replaced: it is in the cluster no more' }
  }
  return { action: { do: 'adopt', order, generation }, why: `the servers are ${order.join(' ')} now` }
}

/**
 * This server has written down that it goes on alone. It does so once another has that too, or has left because of it:
 * a server that was cut off would else begin a second life, beside that of the others with a master of their own.
 */
function goOnAlone({ mine, peers, self }: View, generation: number): Decision | undefined {
  const told = [...peers.values()].some(
    ({ newer }) => newer?.generation === generation && newer.order.join() === self,
  )
  if (told) return { action: { do: 'leave', generation }, why: 'HA is turned off: this server goes on alone' }
  if (mine.redis?.role !== 'master') return undefined
  return {
    action: { do: 'commit', order: [self], generation },
    why: 'HA is to be turned off: waiting until a replica knows it too',
  }
}

/**
 * A Sentinel that knows servers of a former list would count them for its majority. It is started anew with the list of
 * now; one server after the other, and only while the master is up and no failover is going on.
 */
function staleMembers(
  view: View,
  members: Reports,
  order: readonly string[],
  master: string | undefined,
): Decision | undefined {
  const stale = (ip: string) =>
    members.get(ip)?.sentinel?.knows.filter((known) => !order.includes(known)) ?? []
  const strangers = stale(view.self)
  if (strangers.length === 0 || master === undefined || members.get(master)?.redis?.role !== 'master')
    return undefined
  if (failingOver(members) || [...members.values()].some((r) => r.sentinel?.masterDown)) return undefined
  const again = strangers.every((ip) => view.restartedFor.includes(ip))
  if (again && view.sinceSentinelRestartMs < SENTINEL_RESTART_MS) return undefined
  // Its epoch is taken from the store when it starts again: an older one would name a master that nobody believes.
  if (view.mine.redis!.epoch < view.mine.sentinel!.epoch) return undefined
  if (order.slice(0, order.indexOf(view.self)).some((ip) => stale(ip).length > 0)) return undefined
  return {
    action: { do: 'stop-sentinel', strangers },
    why: `the Sentinel here still knows ${strangers.join(' and ')}, which is no member: it starts anew`,
  }
}

/** The Redis of a member is not running: as what is it started? */
function startMember(
  view: View,
  reports: Reports,
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

/**
 * Sentinels start last, on a server that is the master or linked to it: the first of them when every reachable server
 * is online as a replica, so that none begins with an incomplete picture.
 */
function readyForSentinel(view: View, members: Reports, reachable: number, master: string): boolean {
  const first = ![...members.values()].some((r) => r.sentinel)
  const online = members.get(master)?.redis?.replicas.length ?? 0
  return (
    (view.self === master || view.mine.redis!.linkUp) && online >= (first ? Math.max(1, reachable - 1) : 1)
  )
}
