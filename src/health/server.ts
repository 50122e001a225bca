import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { EXPOSITION_TYPE, exposition } from './exposition.ts'
import { metricsOf } from './metrics.ts'
import type { Figures, Situation } from './types.ts'
import { type Check, healthOf, lookOfNow, MARK_MS, verdictOn } from './verdict.ts'

/** Where load balancers, probes and Prometheus ask, on every telemetry server. */
export const HEALTH_PORT = 9003

/** Everyone on the network may ask, and cts-auth has more to do than to answer: more connections are not taken. */
const MAX_CONNECTIONS = 256
const REQUEST_MS = 5000

const METHODS = ['GET', 'HEAD', 'OPTIONS']
const PATHS: Readonly<Record<string, Check>> = {
  '/': 'primary',
  '/primary': 'primary',
  '/master': 'primary',
  '/replica': 'replica',
  '/health': 'health',
  '/liveness': 'liveness',
  '/readiness': 'readiness',
}

export interface HealthParts {
  readonly version: string
  situation(): Situation
  readonly store: {
    figures(): Promise<Figures>
    since(ip: string, role: string, epoch: number): Promise<number | undefined>
  }
}

/**
 * The health endpoints. They answer from what the control loop saw last; only figures that it does not see are read of
 * the store, within a second. Read-only, for anybody, and nothing secret is in any answer.
 */
export function healthServer(parts: HealthParts): FastifyInstance {
  const server = fastify({
    bodyLimit: 1024,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    requestTimeout: REQUEST_MS,
  })
  server.server.maxConnections = MAX_CONNECTIONS
  server.setErrorHandler(async (error, _call, reply) => {
    const { statusCode = 500 } = error as { statusCode?: number }
    const reason = statusCode < 500 ? 'the request is not well formed' : 'this server could not answer'
    return reply.code(statusCode).send({ reason })
  })
  server.setNotFoundHandler(async (call, reply) => {
    if (!METHODS.includes(call.method)) {
      return reply.code(405).header('allow', METHODS.join(', ')).send({ reason: 'this can only be read' })
    }
    const paths = [...Object.keys(PATHS), '/metrics'].join(' ')
    return reply.code(404).send({ reason: `there is nothing here; ask for one of ${paths}` })
  })
  for (const [url, check] of Object.entries(PATHS)) {
    server.route({ method: METHODS, url, handler: (call, reply) => answer(parts, check, call, reply) })
  }
  server.route({
    method: METHODS,
    url: '/metrics',
    handler: async (call, reply) => {
      if (call.method === 'OPTIONS') return withoutBody(reply)
      const situation = parts.situation()
      const figures = redisAnswers(situation) ? await parts.store.figures().catch(() => undefined) : undefined
      return reply.type(EXPOSITION_TYPE).send(exposition(metricsOf(situation, figures, parts.version)))
    },
  })
  return server
}

async function answer(
  parts: HealthParts,
  check: Check,
  call: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const maxLagMs = check === 'replica' ? lagAsked(call.query) : MARK_MS
  if (maxLagMs === undefined) {
    return reply.code(400).send({ reason: 'lag is a number of seconds, e.g. /replica?lag=10' })
  }
  const situation = parts.situation()
  const { ok, reason } = verdictOn(check, situation, maxLagMs)
  reply.code(ok ? 200 : 503).header('cache-control', 'no-store')
  if (call.method === 'OPTIONS') return withoutBody(reply)
  return reply.send(healthOf(situation, await sinceOf(situation, parts.store), reason))
}

function withoutBody(reply: FastifyReply): FastifyReply {
  return reply.header('allow', METHODS.join(', ')).send()
}

/** The `lag` of the query in milliseconds, the usual one if there is none; undefined if it is no number of seconds. */
function lagAsked(query: unknown): number | undefined {
  const { lag } = query as { lag?: unknown }
  if (lag === undefined) return MARK_MS
  return typeof lag === 'string' && /^\d{1,9}(\.\d{1,3})?$/.test(lag) ? Number(lag) * 1000 : undefined
}

async function sinceOf(situation: Situation, store: HealthParts['store']): Promise<number | undefined> {
  const look = lookOfNow(situation)
  const role = look?.servers.find(({ server }) => server === look.self)?.role
  if (!look?.mine.redis || role === undefined || !redisAnswers(situation)) return undefined
  return store.since(look.self, role, look.mine.redis.epoch)
}

/** Whether it makes sense to ask the store at all. */
function redisAnswers(situation: Situation): boolean {
  return verdictOn('health', situation).ok
}
