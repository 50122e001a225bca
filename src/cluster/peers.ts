import { Agent, request, type Server } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { type FastifyInstance, fastify } from 'fastify'
import { sentenceOf } from '../platform/log.ts'
import type { Identity } from './identity.ts'
import type { ClusterState } from './state.ts'
import type { Seen, ServerReport } from './types.ts'

/** Where the cts-auths of a cluster speak to each other: mutual TLS. */
export const PEER_PORT = 9001
/** A server that has not answered by then is shown as unreachable, in milliseconds. */
const ANSWER_MS = 1200

/** How long starting a Sentinel anew may take, in milliseconds. */
const RENEW_MS = 10_000

/** A peer's certificate is not the one that was pinned, or it is a stranger. */
class NotTrusted extends Error {}

/** The header with which a member tells a server that it was replaced: cluster and generation. */
const REPLACED = 'x-netq-replaced'

/** A server that was a member and is not any more; its certificate is the pinned one. */
class Replaced extends Error {
  readonly by: string
  constructor(ip: string, by: string) {
    super(`${ip} was replaced and is in the cluster no more`)
    this.by = by
  }
}

/**
 * Whom this server believes: only addresses of its own list (that `add server` on it is its operator's consent), and of
 * those only the certificate seen first; a changed one is refused until the operator says otherwise.
 */
function trust(
  state: ClusterState,
  ip: string,
  fingerprint: string | undefined,
  candidates: Candidates,
): void {
  if (!fingerprint) throw new NotTrusted(`${ip} showed no certificate`)
  const pinned = state.pin(ip)
  const { desired } = state
  if (!desired?.order.includes(ip) && !candidates().includes(ip)) {
    const past = desired?.formed ? desired : state.left
    if (past && pinned === fingerprint) throw new Replaced(ip, `${past.clusterId} ${past.generation}`)
    throw new NotTrusted(`it was not told of ${ip} yet: run netq config ts add server there too`)
  }
  if (pinned === undefined) state.setPin(ip, fingerprint)
  else if (pinned !== fingerprint) {
    state.suspect(ip, fingerprint)
    throw new NotTrusted(
      `the certificate of ${ip} is not the known one (${pinned}) but ${fingerprint}; if it was installed anew, run netq config ts add server again here and on the others`,
    )
  }
}

/** The servers that changes under way would add. */
export type Candidates = () => readonly string[]

/** Asking the other servers. Every question has its deadline; a server that does not answer is a result, not an error. */
export class PeerClient {
  private readonly identity: Identity
  private readonly state: ClusterState
  private readonly address: string
  private readonly agent: Agent
  private readonly candidates: Candidates

  constructor(identity: Identity, state: ClusterState, address: string, candidates: Candidates) {
    this.candidates = candidates
    this.identity = identity
    this.state = state
    this.address = address
    // No TLS resumption: a resumed session would not show the certificate again.
    this.agent = new Agent({ keepAlive: true, maxSockets: 4, maxCachedSessions: 0 })
  }

  async report(ip: string): Promise<Seen> {
    try {
      return { report: (await this.ask(ip, 'GET', '/v1/report')) as ServerReport }
    } catch (error) {
      const { desired } = this.state
      const [cluster, generation] = error instanceof Replaced ? error.by.split(' ') : []
      const removed = cluster === desired?.clusterId && Number(generation) > (desired?.generation ?? 0)
      return { unreachable: sentenceOf(error), ...(removed ? { removed } : {}) }
    }
  }

  /** The cluster's key, from its first server. Rejects with a sentence. */
  async clusterKey(ip: string): Promise<string> {
    return ((await this.ask(ip, 'POST', '/v1/join', {})) as { key: string }).key
  }

  /** Asks for the vote of `ip` for this server in an election. */
  async vote(ip: string, epoch: number): Promise<boolean> {
    try {
      return ((await this.ask(ip, 'POST', '/v1/vote', { epoch })) as { granted: boolean }).granted
    } catch {
      return false
    }
  }

  /** Asks `ip` to have its Sentinel fail over from this server, whose Redis has died. */
  async failover(ip: string): Promise<void> {
    await this.ask(ip, 'POST', '/v1/failover', {})
  }

  /** Has `ip` look again at once, because it has something to do. */
  async hurry(ip: string): Promise<void> {
    await this.ask(ip, 'POST', '/v1/hurry', {})
  }

  /** Has `ip` start its Sentinel anew. Rejects with a sentence. */
  async renewSentinel(ip: string, master: string, epoch: number): Promise<void> {
    await this.ask(ip, 'POST', '/v1/renew-sentinel', { master, epoch }, RENEW_MS)
  }

  close(): void {
    this.agent.destroy()
  }

  private ask(
    ip: string,
    method: 'GET' | 'POST',
    path: string,
    body?: object,
    ms = ANSWER_MS,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { key, certificate } = this.identity
      const call = request({
        host: ip,
        port: PEER_PORT,
        localAddress: this.address,
        method,
        path,
        key,
        cert: certificate,
        // Certificates are self-made: what counts is that it is the pinned one, which is checked below.
        rejectUnauthorized: false,
        agent: this.agent,
        headers: body ? { 'content-type': 'application/json' } : {},
      })
      const timer = setTimeout(
        () => call.destroy(new Error(`cts-auth on ${ip} did not answer in ${ms} ms`)),
        ms,
      )
      const fail = (error: NodeJS.ErrnoException) => {
        clearTimeout(timer)
        const refused = error.code === 'ECONNREFUSED'
        reject(refused ? new Error(`cts-auth on ${ip} is not running`) : error)
      }
      call.on('error', fail)
      call.on('response', (response) => {
        let text = ''
        try {
          trust(
            this.state,
            ip,
            (response.socket as TLSSocket).getPeerCertificate().fingerprint256,
            this.candidates,
          )
        } catch (error) {
          call.destroy(error as Error)
          return
        }
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('error', fail)
        response.on('end', () => {
          clearTimeout(timer)
          const by = response.headers[REPLACED]
          if (response.statusCode === 200) resolve(JSON.parse(text))
          else if (typeof by === 'string') reject(new Replaced(this.address, by))
          else reject(new Error(text))
        })
      })
      call.end(body ? JSON.stringify(body) : undefined)
    })
  }
}

/** What a peer may ask of this server. Handlers throw a sentence to refuse. */
export interface PeerHandlers {
  report(): Promise<ServerReport>
  clusterKey(ip: string): string
  vote(ip: string, epoch: number): boolean
  failover(ip: string): Promise<void>
  /** Looks again at once. */
  hurry(): void
  renewSentinel(master: string, epoch: number): Promise<void>
  candidates: Candidates
}

/** The server's side; listen with `{ host: address, port: PEER_PORT }`. */
export function peerServer(
  identity: Identity,
  state: ClusterState,
  handlers: PeerHandlers,
): FastifyInstance<Server> {
  const server = fastify({
    https: { key: identity.key, cert: identity.certificate, requestCert: true, rejectUnauthorized: false },
    bodyLimit: 64 * 1024,
    forceCloseConnections: true,
  })
  server.addHook('onRequest', async (call) => {
    trust(
      state,
      call.ip,
      (call.raw.socket as TLSSocket).getPeerCertificate().fingerprint256,
      handlers.candidates,
    )
  })
  server.setErrorHandler(async (error, _call, reply) => {
    if (error instanceof Replaced) reply.header(REPLACED, error.by)
    return reply
      .code(error instanceof NotTrusted || error instanceof Replaced ? 403 : 409)
      .type('text/plain')
      .send(sentenceOf(error))
  })
  server.get('/v1/report', () => handlers.report())
  server.post('/v1/join', async (call) => ({ key: handlers.clusterKey(call.ip) }))
  server.post<{ Body: { epoch: number } }>('/v1/vote', async (call) => {
    const { epoch } = call.body
    if (!Number.isSafeInteger(epoch)) throw new Error('the epoch is not a number')
    return { granted: handlers.vote(call.ip, epoch) }
  })
  server.post('/v1/failover', async (call) => {
    await handlers.failover(call.ip)
    return {}
  })
  server.post<{ Body: { master: string; epoch: number } }>('/v1/renew-sentinel', async (call) => {
    const { master, epoch } = call.body
    if (!state.desired?.order.includes(master) || !Number.isSafeInteger(epoch))
      throw new Error('that is no master')
    await handlers.renewSentinel(master, epoch)
    return {}
  })
  server.post('/v1/hurry', async () => {
    handlers.hurry()
    return {}
  })
  return server as FastifyInstance<Server>
}
