import type { Look, RedisSeen, ServerSeen, Situation } from '../../src/health/types.ts'

/** The instant at which these tests ask: 2026-11-23T15:00:00Z. */
export const NOW = Date.UTC(2026, 10, 23, 15)
export const [A, B, C] = ['10.0.0.5', '10.0.0.6', '10.0.0.7'] as const

const common = { loading: false, diskOk: true, offset: 1234, epoch: 7, markerTime: NOW - 800, applied: 99 }

/** A healthy master's Redis with its two replicas. */
export const master: RedisSeen = {
  ...common,
  role: 'master',
  linkUp: false,
  replicas: [
    { ip: B, lag: 0, offset: 1234 },
    { ip: C, lag: 1, offset: 1200 },
  ],
  minReplicas: 1,
}

/** A healthy replica's. */
export const replica: RedisSeen = {
  ...common,
  role: 'replica',
  follows: B,
  linkUp: true,
  replicas: [],
  minReplicas: 1,
}

const sentinel = { epoch: 7, replicas: 2, others: 2, quorum: true, tilt: false }

/** What server A sees of a healthy cluster, with these changes. */
export function situation(
  redis: RedisSeen | undefined,
  changed: { look?: Partial<Look>; mine?: Partial<ServerSeen>; top?: Partial<Situation> } = {},
): Situation {
  const named = redis?.role === 'replica' ? B : A
  const role = (server: string) => (server === named ? 'master' : 'replica')
  return {
    now: NOW,
    rounds: 12,
    roundAgeMs: 300,
    look: {
      ageMs: 400,
      self: A,
      mine: { ...(redis ? { redis } : {}), sentinel, ...changed.mine },
      servers: [A, B, C].map((server) => ({ server, role: role(server), master: named, status: 'ok' })),
      named,
      ...changed.look,
    },
    ...changed.top,
  }
}
