import { Agent, request, type Server } from 'node:https'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { type FastifyInstance, fastify } from 'fastify'
import { sentenceOf } from '../platform/log.ts'
import type { Identity } from './identity.ts'
import type { ClusterState } from './state.ts'
import type { ClusterList, Seen, ServerReport } from './types.ts'

/** Where the cts-auths of a cluster speak to each other: mutual TLS. */
export const PEER_PORT = 9001
/** A server that has not answered by then is shown as unreachable, in milliseconds. */
const ANSWER_MS = 1200
/** How long one is waited for that did not answer the last time, in milliseconds. */
const PATIENCE_MS = 200

/** How long starting a Sentinel anew may take, in milliseconds. */
const RENEW_MS = 10_000

/** How long counting or sending samples may take, in milliseconds. */
const STATS_MS = 25_000

/** A peer's certificate is not the one that was pinned, or it is a stranger. */
class NotTrusted extends Error {}

/**
 * The header of every answer with which a server tells another, whose certificate is the pinned one, the lists of
 * clusters that this one is in no more (JSON): for a member that was away when it was replaced, or when HA was turned off.
 */
const LISTS = 'x-netq-lists'

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
    if (pinned === fingerprint && state.listsWithout(ip).length > 0)
      throw new NotTrusted(`${ip} is in the cluster no more`)
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

interface Question {
  readonly body?: object
  /** How long the answer may take, in milliseconds. */
  readonly ms?: number
  /** Called before the promise is settled, also where the question is refused. */
  readonly onLists?: (lists: ClusterList[]) => void
}

/** Asking the other servers. Every question has its deadline; a server that does not answer is a result, not an error. */
export class PeerClient {
  private readonly identity: Identity
  private readonly state: ClusterState
  private readonly address: string
  private readonly agent: Agent
  private readonly candidates: Candidates
  private readonly onLost: () => void
  /** What was seen of those that did not answer the last time. */
  private readonly silent = new Map<string, Seen>()
  private readonly asking = new Map<string, Promise<Seen>>()

  /** @param onLost told when a connection to another server ends: it may be gone */
  constructor(
    identity: Identity,
    state: ClusterState,
    address: string,
    candidates: Candidates,
    onLost: () => void = () => {},
  ) {
    this.candidates = candidates
    this.onLost = onLost
    this.identity = identity
    this.state = state
    this.address = address
    // No TLS resumption: a resumed session would not show the certificate again.
    this.agent = new Agent({ keepAlive: true, maxSockets: 4, maxCachedSessions: 0 })
  }

  /** What `ip` says. One that did not answer the last time holds up nobody: it is asked on, and heard when it answers. */
  async report(ip: string): Promise<Seen> {
    const before = this.silent.get(ip)
    if (before === undefined) return this.askReport(ip)
    const asked = this.asking.get(ip) ?? this.askReport(ip)
    this.asking.set(ip, asked)
    void asked.finally(() => this.asking.delete(ip))
    return Promise.race([asked, delay(PATIENCE_MS, before)])
  }

  private async askReport(ip: string): Promise<Seen> {
    let told: ClusterList[] = []
    const seen = await this.ask(ip, 'GET', '/v1/report', {
      onLists: (lists) => {
        told = lists
      },
    }).then(
      (report) => ({ report: report as ServerReport }),
      (error) => ({ unreachable: sentenceOf(error) }),
    )
    const { desired } = this.state
    const newer = told.find(
      ({ clusterId, generation }) => clusterId === desired?.clusterId && generation > desired.generation,
    )
    const answer = newer ? { ...seen, newer } : seen
    if ('report' in answer) this.silent.delete(ip)
    else this.silent.set(ip, answer)
    return answer
  }

  /** The cluster's key, from its first server. Rejects with a sentence. */
  async clusterKey(ip: string): Promise<string> {
    return ((await this.ask(ip, 'POST', '/v1/join', { body: {} })) as { key: string }).key
  }

  /** Asks for the vote of `ip` for this server in an election. */
  async vote(ip: string, epoch: number): Promise<boolean> {
    try {
      return ((await this.ask(ip, 'POST', '/v1/vote', { body: { epoch } })) as { granted: boolean }).granted
    } catch {
      return false
    }
  }

  /** Asks `ip` to have its Sentinel fail over from this server, whose Redis has died. */
  async failover(ip: string): Promise<void> {
    await this.ask(ip, 'POST', '/v1/failover', { body: {} })
  }

  /** Has `ip` look again at once, because it has something to do. */
  async hurry(ip: string): Promise<void> {
    await this.ask(ip, 'POST', '/v1/hurry', { body: {} })
  }

  /** Has `ip` start its Sentinel anew. Rejects with a sentence. */
  async renewSentinel(ip: string, master: string, epoch: number): Promise<void> {
    await this.ask(ip, 'POST', '/v1/renew-sentinel', { body: { master, epoch }, ms: RENEW_MS })
  }

  /** Asks `ip` what it has of the interface statistics. Rejects with a sentence. */
  async stats(ip: string, question: object): Promise<object> {
    return (await this.ask(ip, 'POST', '/v1/stats', { body: question, ms: STATS_MS })) as object
  }

  close(): void {
    this.agent.destroy()
  }

  /** Only a connection that was of use: one that is refused would be looked for again at once, and for ever. */
  private watch(socket: Socket): void {
    if (!socket.listeners('close').includes(this.onLost)) socket.once('close', this.onLost)
  }

  private ask(
    ip: string,
    method: 'GET' | 'POST',
    path: string,
    { body, ms = ANSWER_MS, onLists }: Question = {},
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
        // At the end of the response it is gone from it: it is kept for the next question.
        const { socket } = response
        let text = ''
        try {
          trust(this.state, ip, (socket as TLSSocket).getPeerCertificate().fingerprint256, this.candidates)
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
          const lists = response.headers[LISTS]
          if (typeof lists === 'string') onLists?.(JSON.parse(lists) as ClusterList[])
          if (response.statusCode === 200) {
            this.watch(socket)
            resolve(JSON.parse(text))
          } else reject(new Error(text))
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
  /** What this server's InfluxDB has of the interface statistics; rejects with a sentence. */
  stats(question: unknown): Promise<object>
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
  server.addHook('onRequest', async (call, reply) => {
    const { fingerprint256 } = (call.raw.socket as TLSSocket).getPeerCertificate()
    const lists = state.listsWithout(call.ip)
    if (lists.length > 0 && fingerprint256 === state.pin(call.ip)) reply.header(LISTS, JSON.stringify(lists))
    trust(state, call.ip, fingerprint256, handlers.candidates)
  })
  server.setErrorHandler(async (error, _call, reply) => {
    return reply
      .code(error instanceof NotTrusted ? 403 : 409)
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
  server.post('/v1/stats', (call) => handlers.stats(call.body))
  server.post('/v1/hurry', async () => {
    handlers.hurry()
    return {}
  })
  return server as FastifyInstance<Server>
}
