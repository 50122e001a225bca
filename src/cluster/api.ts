import { networkInterfaces } from 'node:os'
import { PassThrough } from 'node:stream'
import { type FastifyInstance, fastify } from 'fastify'
import { type AddServersRequest, EXIT_MARK, type ShowServersRequest } from '../api/types.ts'
import { validateServers } from '../config/servers.ts'
import { sentenceOf } from '../platform/log.ts'
import { keysUnder } from '../store/keys.ts'
import type { Controller } from './controller.ts'
import type { LocalConnections } from './local.ts'
import { serverDetail, serverLines, serversJson, serversText } from './servers-view.ts'
import type { ClusterState } from './state.ts'

/** How long `add server` on the last of the three waits for the cluster to be formed, in milliseconds. */
const FORM_MS = 60_000

export interface ApiParts {
  readonly self: string
  /** This server's address as its environment gives it; undefined: any address of its interfaces is its own. */
  readonly address: string | undefined
  readonly controller: Controller
  readonly local: LocalConnections
  readonly state: ClusterState
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
    const problem = configure(parts, call.body?.addresses)
    if (problem) return reply.code(400).type('text/plain').send(`${problem}\n`)
    const stream = new PassThrough()
    void followFormation(parts, (text) => stream.writable && stream.write(text)).finally(() => stream.end())
    return reply.type('text/plain').send(stream)
  })
  server.post<{ Body: ShowServersRequest }>('/v1/servers/show', async (call, reply) => {
    const answer = await showServers(parts, call.body ?? {})
    if ('problem' in answer) return reply.code(404).type('text/plain').send(`${answer.problem}\n`)
    return 'json' in answer ? answer.json : reply.type('text/plain').send(answer.text)
  })
  return server
}

/** Takes the operator's list, or says in one text why not; then nothing has changed. */
function configure({ address, state, controller }: ApiParts, words: unknown): string | undefined {
  if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) {
    return 'The addresses are missing. Nothing was changed.'
  }
  const valid = validateServers(words)
  if ('problem' in valid) return valid.problem
  const order = valid.addresses
  const own = address === undefined ? localAddresses() : [address]
  if (!order.some((ip) => own.includes(ip))) {
    return `None of ${order.join(', ')} is an address of this server (${own.join(', ')}). Nothing was changed. Run the command on one of the three servers, with its own address among them`
  }
  const known = state.desired
  if (known?.formed && known.order.join(' ') !== order.join(' ')) {
    return `This server is in a cluster of ${known.order.join(' ')} already. Nothing was changed`
  }
  if (!known?.formed) state.setDesired({ order, clusterId: '', formed: false })
  controller.hurry()
  return undefined
}

/** Tells the operator how the formation goes on, and ends when there is nothing more to do on this server. */
async function followFormation(
  { self, controller, state }: ApiParts,
  write: (text: string) => void,
): Promise<void> {
  const order = state.desired!.order
  const end = Date.now() + FORM_MS
  const say = tellOnce(write)
  let exit = 1
  while (Date.now() < end) {
    const peers = await controller.askPeers()
    const listed = [...peers.values()].filter(
      (seen) => 'report' in seen && seen.report.desired?.order.join() === order.join(),
    )
    const missing = order.filter(
      (ip) => ip !== self && !listed.some((seen) => 'report' in seen && seen.report.ip === ip),
    )
    if (missing.length > 0 && !state.desired!.formed) {
      const conflict = [...peers.values()].find(
        (seen) =>
          'report' in seen && seen.report.desired && seen.report.desired.order.join() !== order.join(),
      )
      say(`${3 - missing.length} of 3 servers are configured.`)
      if (conflict && 'report' in conflict) {
        const { ip, desired } = conflict.report
        say(
          `${ip} was given another list: ${desired!.order.join(' ')}. The cluster is formed once all three have the same.`,
        )
        exit = 1
      } else {
        say(
          `Now run the same command on ${missing.join(' and ')}, in any order; nothing has to be waited for.`,
        )
        exit = 0
      }
      break
    }
    const mine = await controller.report()
    const reports = [mine, ...[...peers.values()].flatMap((seen) => ('report' in seen ? [seen.report] : []))]
    const ready = reports.filter(
      (r) => r.desired?.formed && r.sentinel?.quorum && r.sentinel.others === 2 && r.sentinel.replicas === 2,
    )
    const master = reports.find((r) => r.redis?.role === 'master' && r.desired?.formed)
    if (ready.length === 3 && master?.redis?.minReplicas === 1) {
      say(
        `HA mode is on: ${master.ip} is the master, ${order.filter((ip) => ip !== master.ip).join(' and ')} are its replicas.`,
      )
      exit = 0
      break
    }
    say('3 of 3 servers are configured; forming the cluster.')
    for (const report of reports) {
      if (report.desired?.formed && report.redis?.role === 'replica' && report.redis.linkUp)
        say(`${report.ip} follows ${report.redis.follows}.`)
    }
    await new Promise((resolve) => setTimeout(resolve, 150))
  }
  if (Date.now() >= end)
    say(
      `The cluster is not complete yet: ${controller.problem ?? controller.decision.why}. It goes on by itself; look with: netq config ts show server`,
    )
  write(`${EXIT_MARK}${exit}\n`)
}

function tellOnce(write: (text: string) => void): (sentence: string) => void {
  const told = new Set<string>()
  return (sentence) => {
    if (told.has(sentence)) return
    told.add(sentence)
    write(`${sentence}\n`)
  }
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
  const detail = serverDetail(line, seen, now)
  if (request.json) return { json: { ...(serversJson([line]) as { servers: object[] }).servers[0], ...seen } }
  const width = Math.max(...detail.map(([name]) => name.length))
  return { text: detail.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('') }
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

function localAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).filter((a) => a.family === 'IPv4').map((a) => a.address),
  )
}
