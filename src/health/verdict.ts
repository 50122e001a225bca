import { ago } from '../text/duration.ts'
import type { Look, RedisSeen, Situation } from './types.ts'

/** What can be asked: each is an endpoint of that name. */
export const CHECKS = ['primary', 'replica', 'health', 'liveness', 'readiness'] as const
export type Check = (typeof CHECKS)[number]

/** Whether it is so, and why, in a sentence without a full stop. */
export interface Verdict {
  readonly ok: boolean
  readonly reason: string
}

/** The body of every answer: what is true of this server, whatever was asked. */
export interface Health {
  /** As `netq config ts show server` has it: `ok`, `syncing 42%`, `link down` ... `unknown`: not looked at just now. */
  readonly state: string
  readonly role: string
  readonly master: string | null
  /** How old this server's copy of the store may be, in seconds; 0 on the master, null if nothing is known. */
  readonly lag: number | null
  /** Grows with every change of master, like a timeline. */
  readonly epoch: number | null
  /** When this server took its role, seconds since the epoch. */
  readonly since: number | null
  readonly reason: string
}

/** The control loop makes progress if its last round is not older than this, in milliseconds. */
const ROUND_MS = 10_000
/** What was seen longer ago than this is not taken for the state of now, in milliseconds. */
const LOOK_MS = 5000
/** The master marks its copy every second; a mark older than this says that it does not, or does not arrive; ms. */
export const MARK_MS = 5000
/** A replica with a greater lag does not count for a write (min-replicas-max-lag), in seconds. */
const MAX_LAG_S = 3

/** @param maxLagMs how old a replica's copy may be for `replica`, in milliseconds */
export function verdictOn(check: Check, situation: Situation, maxLagMs = MARK_MS): Verdict {
  if (check === 'liveness') return liveness(situation)
  const current = currentRedis(situation)
  if ('problem' in current) return no(current.problem)
  const { look, redis } = current
  switch (check) {
    case 'health':
      return yes(`Redis runs and answers, as a ${redis.role}`)
    case 'primary':
      return primary(look, redis, situation.now)
    case 'replica':
      return replica(redis, situation.now, maxLagMs)
    case 'readiness': {
      if (redis.role === 'replica') return linked(redis)
      const rival = rivalOf(look)
      return rival ? no(rival) : yes('this server is the master')
    }
  }
}

/** @param since when this server took its role, ms since the epoch */
export function healthOf(situation: Situation, since: number | undefined, reason: string): Health {
  const look = lookOfNow(situation)
  const line = look?.servers.find(({ server }) => server === look.self)
  const { redis, sentinel } = look?.mine ?? {}
  const lagMs = redis && lagOf(redis, situation.now)
  return {
    state: line?.status ?? 'unknown',
    role: line?.role ?? 'unknown',
    master: line === undefined || line.master === '-' ? null : line.master,
    lag: lagMs === undefined ? null : Math.round(lagMs / 100) / 10,
    epoch: redis || sentinel ? Math.max(redis?.epoch ?? 0, sentinel?.epoch ?? 0) : null,
    since: since === undefined ? null : since / 1000,
    reason,
  }
}

/** The last look, if it is young enough to be believed. */
export function lookOfNow({ look }: Situation): Look | undefined {
  return look && look.ageMs <= LOOK_MS ? look : undefined
}

/** How old the copy may be, in milliseconds; undefined if no mark has ever arrived in it. */
export function lagOf(redis: RedisSeen, now: number): number | undefined {
  if (redis.role === 'master') return 0
  return markAge(redis, now)
}

/** The age of the newest mark in the copy, in milliseconds; undefined if there is none. */
export function markAge({ markerTime }: RedisSeen, now: number): number | undefined {
  return markerTime === 0 ? undefined : Math.max(0, now - markerTime)
}

function liveness({ roundAgeMs, rounds }: Situation): Verdict {
  const late = roundAgeMs > ROUND_MS
  if (rounds === 0) {
    const sentence = `the control loop has not ended its first round, ${ago(roundAgeMs)} after the start`
    return late ? no(sentence) : yes(sentence)
  }
  const sentence = `the control loop's last round was ${ago(roundAgeMs)} ago`
  return late ? no(sentence) : yes(sentence)
}

/** This server's Redis as it is now, if it runs and answers. */
function currentRedis(situation: Situation): { look: Look; redis: RedisSeen } | { problem: string } {
  const look = lookOfNow(situation)
  if (!look) {
    const seen = situation.look && `, and last did so ${ago(situation.look.ageMs)} ago`
    return { problem: `the control loop has not looked at this server just now${seen ?? ''}` }
  }
  const { redis, redisProblem } = look.mine
  if (!redis) return { problem: redisProblem ?? 'Redis is not running' }
  if (redis.loading) return { problem: 'Redis is loading its data' }
  return { look, redis }
}

function primary(look: Look, redis: RedisSeen, now: number): Verdict {
  if (redis.role === 'replica') {
    return no(redis.follows ? `this server is a replica of ${redis.follows}` : 'this server is a replica')
  }
  const rival = rivalOf(look)
  if (rival) return no(rival)
  if (!redis.diskOk) return no('this server is the master and takes no writes: its disk is full or fails')
  if (redis.replicas.filter(({ lag }) => lag <= MAX_LAG_S).length < redis.minReplicas)
    return no('this server is the master and takes no writes: no replica is connected')
  // The loop writes a mark every second through the same function library and the same rules as every other write.
  const age = markAge(redis, now)
  if (age === undefined) return no('this server is the master and has not written its first mark yet')
  if (age > MARK_MS) return no(`this server is the master, but its last write went well ${ago(age)} ago`)
  return yes('this server is the master and takes writes')
}

/** Why another server's claim to be the master goes before this one's; undefined if no other has one. */
function rivalOf({ self, servers, named }: Look): string | undefined {
  if (named === self) return undefined
  const rival = servers.find(({ server, role }) => server !== self && role === 'master')
  if (!rival) return undefined
  return rival.server === named
    ? `${rival.server} is the master, by the word of the Sentinels; this server is not any more`
    : `${rival.server} says that it is the master too`
}

function replica(redis: RedisSeen, now: number, maxLagMs: number): Verdict {
  if (redis.role === 'master') return no('this server is the master')
  const link = linked(redis)
  if (!link.ok) return link
  const age = markAge(redis, now)
  if (age === undefined) return no(`no mark of ${redis.follows} has arrived here yet`)
  const behind = `this server's copy may be ${(age / 1000).toFixed(1)} s old`
  return age > maxLagMs
    ? no(`${behind}, and ${maxLagMs / 1000} s are allowed`)
    : yes(`${link.reason}; ${behind}`)
}

function linked(redis: RedisSeen): Verdict {
  if (redis.follows === undefined) return no('this server is a replica of nobody: no master is known')
  if (redis.syncing !== undefined)
    return no(`this server is copying the data of ${redis.follows} (${redis.syncing}%)`)
  if (!redis.linkUp) return no(`the link to ${redis.follows} is down`)
  return yes(`this server is a replica of ${redis.follows}`)
}

function yes(reason: string): Verdict {
  return { ok: true, reason }
}

function no(reason: string): Verdict {
  return { ok: false, reason }
}
