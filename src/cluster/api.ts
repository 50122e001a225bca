import { randomUUID } from 'node:crypto'
import { PassThrough } from 'node:stream'
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify'
import {
  type AddServersRequest,
  ASK_AGAIN,
  type ClusterView,
  type ConfirmRequest,
  EXIT_MARK,
  type JsonRequest,
  type RestoreRequest,
  type ShowServersRequest,
} from '../api/types.ts'
import { backupsOf, putAside } from '../backup/files.ts'
import { backupsJson, backupsText } from '../backup/view.ts'
import { validateServers } from '../config/servers.ts'
import { sentenceOf } from '../platform/log.ts'
import type { Paths } from '../platform/paths.ts'
import { keysUnder } from '../store/keys.ts'
import { configLines, configText } from './config-view.ts'
import type { Controller } from './controller.ts'
import { follow, look, type Taken, turnOff } from './follow.ts'
import { historyText, masterChanges } from './history.ts'
import type { LocalConnections } from './local.ts'
import type { PeerClient } from './peers.ts'
import { resetCluster } from './repair.ts'
import { restoreBackup } from './restore.ts'
import { serverDetail, serverLines, serversJson, serversText } from './servers-view.ts'
import type { ClusterState } from './state.ts'
import { stepDown } from './step-down.ts'
import type { Proposal } from './types.ts'

export interface ApiParts {
  readonly self: string
  /** The address that this server works with; undefined as long as it knows none. */
  readonly address: string | undefined
  readonly paths: Paths
  /** The addresses that may become its own by an operator's list. */
  ownAddresses(): readonly string[]
  /** Ends this process, so that the next one works with another address. */
  startAnew(why: string): void
  readonly controller: Controller
  readonly local: LocalConnections
  readonly state: ClusterState
  readonly peers: PeerClient | undefined
  renewSentinel(master: string, epoch: number): Promise<void>
  /** How the agents are, in a few words; undefined while the store does not answer. */
  agents(): Promise<string | undefined>
}

/** What `netq config ts ...` asks of cts-auth, on its unix socket. */
export function configurationApi(parts: ApiParts): FastifyInstance {
  const server = fastify({ bodyLimit: 64 * 1024, forceCloseConnections: true })
  server.setErrorHandler(async (error, _call, reply) =>
    reply
      .code(400)
      .type('text/plain')
      .send(`${sentenceOf(error)}\n`),
  )
  server.post<{ Body: AddServersRequest }>('/v1/servers', async (call, reply) => {
    const taken = configure(parts, call.body)
    if ('problem' in taken) return reply.code(400).type('text/plain').send(`${taken.problem}\n`)
    if (taken.kind === 'formation' && taken.self !== parts.address) {
      const why = `this server takes the address ${taken.self}`
      reply.raw.once('close', () => parts.startAnew(why))
      return reply.code(ASK_AGAIN).type('text/plain').send(`cts-auth starts anew: ${why}\n`)
    }
    return streamed(reply, (say) => follow(parts, taken, say), call.body.json)
  })
  server.post<{ Body: ConfirmRequest }>('/v1/servers/delete', async (call, reply) => {
    return streamed(reply, (say) => turnOff(parts, call.body?.yes === true, say))
  })
  server.post<{ Body: ConfirmRequest }>('/v1/reset', async (call, reply) => {
    return streamed(reply, (say) => resetCluster(parts, call.body?.yes === true, say))
  })
  server.post('/v1/step-down', async (_call, reply) => {
    return streamed(reply, (say) => stepDown(parts, say))
  })
  server.post<{ Body: RestoreRequest }>('/v1/restore', async (call, reply) => {
    const { file, yes } = call.body ?? {}
    if (typeof file !== 'string' || file === '') throw new Error('The file is missing. Nothing was changed.')
    return streamed(reply, (say) => restoreBackup(parts, { file, yes: yes === true }, say))
  })
  server.post<{ Body: JsonRequest }>('/v1/backups/show', async (call, reply) => {
    const restored = (await parts.controller.report()).redis?.restored
    const shown = { made: backupsOf(parts.paths), aside: putAside(parts.paths), restored }
    return call.body?.json
      ? backupsJson(shown)
      : reply.type('text/plain').send(backupsText(shown, Date.now()))
  })
  server.post<{ Body: JsonRequest }>('/v1/history', async (call, reply) => {
    const changes = await masterChanges(await parts.local.redis(), parts.controller.secrets.prefix)
    return call.body?.json ? { changes } : reply.type('text/plain').send(historyText(changes))
  })
  server.post<{ Body: JsonRequest }>('/v1/servers/config', async (call, reply) => {
    const { mine, peers } = await look(parts)
    const lines = configLines(mine, peers)
    return call.body?.json ? { servers: lines } : reply.type('text/plain').send(configText(lines))
  })
  server.post('/v1/view', async () => clusterView(parts))
  server.post('/v1/stats/servers', async () => ({ servers: othersOf(parts) }))
  server.post<{ Body: { server: string } }>('/v1/stats/ask', (call) => {
    const { server: ip, ...question } = call.body
    if (!parts.peers || !othersOf(parts).includes(ip))
      throw new Error(`${ip} is no other server of this cluster`)
    return parts.peers.stats(ip, question)
  })
  server.post<{ Body: ShowServersRequest }>('/v1/servers/show', async (call, reply) => {
    const answer = await showServers(parts, call.body ?? {})
    if ('problem' in answer) return reply.code(404).type('text/plain').send(`${answer.problem}\n`)
    return 'json' in answer ? answer.json : reply.type('text/plain').send(answer.text)
  })
  return server
}

/** Sends what an operation says as it goes on, a line each, and its exit status at the end. */
function streamed(
  reply: FastifyReply,
  run: (say: (sentence: string) => void) => Promise<number>,
  json = false,
): FastifyReply {
  const stream = new PassThrough()
  const steps: string[] = []
  const say = (sentence: string) => {
    if (json) steps.push(sentence.trim())
    else if (stream.writable) stream.write(`${sentence}\n`)
  }
  run(say)
    .catch((error: unknown) => {
      say(`${sentenceOf(error)}.`)
      return 1
    })
    .then((exit) => {
      if (json) stream.write(`${JSON.stringify({ steps, exit }, null, 4)}\n`)
      stream.end(`${EXIT_MARK}${exit}\n`)
    })
  return reply.type('text/plain').send(stream)
}

/** Takes the operator's list, or says in one text why not; then nothing has changed. */
function configure(
  { address, ownAddresses, self, state, controller }: ApiParts,
  request: AddServersRequest,
): Taken | { problem: string } {
  const words: unknown = request?.addresses
  if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) {
    return { problem: 'The addresses are missing. Nothing was changed.' }
  }
  const valid = validateServers(words)
  if ('problem' in valid) return valid
  const order = valid.addresses
  const known = state.desired
  const own = known?.formed && address !== undefined ? [address] : ownAddresses()
  const mine = order.find((ip) => own.includes(ip))
  if (mine === undefined) {
    return {
      problem: `None of ${order.join(', ')} is an address of this server (${own.join(', ')}). Nothing was changed. Run the command on one of the three servers, with its own address among them`,
    }
  }
  if (!known?.formed) {
    if (request.dryRun) return { kind: 'plan', order }
    state.believe(order)
    state.setDesired({ order, clusterId: '', generation: 0, formed: false })
    controller.hurry()
    return { kind: 'formation', order, self: mine }
  }
  if (known.order.join(' ') === order.join(' ')) {
    const believed = request.dryRun ? [] : state.believe(order)
    return { kind: 'same', order, believed }
  }
  const added = order.filter((ip) => !known.order.includes(ip))
  if (added.length > 1) {
    return {
      problem: `${added.join(' and ')} are new, and only one server can be replaced at a time: the servers are ${known.order.join(' ')}. Nothing was changed`,
    }
  }
  if (added.length === 1 && order[0] === added[0]) {
    return {
      problem: `${added[0]} is new and cannot be the first. Nothing was changed. Put it second or third, and change the order after`,
    }
  }
  if (request.dryRun) return { kind: 'plan', order }
  const proposal: Proposal = { id: `${self}-${randomUUID()}`, order, base: known.generation, at: Date.now() }
  if (state.proposal) controller.supersede(state.proposal.id)
  state.propose(proposal)
  controller.hurry()
  return { kind: 'change', proposal, from: known.order }
}

async function showServers(
  parts: ApiParts,
  request: ShowServersRequest,
): Promise<{ text: string } | { json: object } | { problem: string }> {
  const { controller, local, self } = parts
  const [mine, peers] = await Promise.all([controller.report(), controller.askPeers()])
  const roles = await readRoles(local, controller.secrets.prefix)
  const now = Date.now()
  const lines = serverLines({ mine, peers, roles, now })
  if (request.address === undefined) {
    const waiting = mine.desired && !mine.desired.formed ? `\n${controller.decision.why}\n` : ''
    return request.json ? { json: serversJson(lines) } : { text: serversText(lines, now) + waiting }
  }
  const line = lines.find(({ server }) => server === request.address)
  if (!line)
    return {
      problem: `${request.address} is not a server of this cluster, which has ${lines.map((l) => l.server).join(', ')}`,
    }
  const seen = line.server === self ? { report: mine } : peers.get(line.server)!
  const detail = serverDetail(line, seen, now, await parts.agents())
  if (request.json) return { json: { ...(serversJson([line]) as { servers: object[] }).servers[0], ...seen } }
  const width = Math.max(...detail.map(([name]) => name.length))
  return { text: detail.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('') }
}

/** For the other daemons of this server. */
export async function clusterView({
  controller,
  local,
  self,
}: Pick<ApiParts, 'controller' | 'local' | 'self'>): Promise<ClusterView> {
  const [mine, peers] = await Promise.all([controller.report(), controller.askPeers()])
  const lines = serverLines({ mine, peers, roles: new Map(), now: Date.now() })
  const loadOf = (ip: string) => {
    const seen = peers.get(ip)
    return (ip === self ? mine : seen && 'report' in seen ? seen.report : undefined)?.redis?.load
  }
  const [lastChange] = await masterChanges(await local.redis(), controller.secrets.prefix, 1).catch(() => [])
  return {
    self,
    formed: mine.desired?.formed === true,
    servers: lines.map(({ server, role, status }) => {
      const load = loadOf(server)
      return { server, role, status, ...(load ? { room: load } : {}) }
    }),
    ...(lastChange ? { lastChange } : {}),
  }
}

/** "<role> <since>" by address, from the local copy; empty when it cannot be read: the ages are then not shown. */
async function readRoles(
  local: LocalConnections,
  prefix: string,
): Promise<Map<string, { role: string; since: number }>> {
  try {
    const hash = await (await local.redis()).hgetall(keysUnder(prefix).roles)
    return new Map(
      Object.entries(hash).map(([ip, text]) => {
        const [role, since] = text.split(' ')
        return [ip, { role: role!, since: Number(since) }]
      }),
    )
  } catch {
    return new Map()
  }
}

/** The other members of the cluster that this server belongs to. */
function othersOf({ state, self }: ApiParts): string[] {
  return state.desired?.formed ? state.desired.order.filter((ip) => ip !== self) : []
}
