import type { FastifyInstance } from 'fastify'
import { mayAdminister } from '../platform/groups.ts'
import { type Log, sentenceOf } from '../platform/log.ts'
import { type Peer, peerOf } from '../platform/native.ts'
import type { Paths } from '../platform/paths.ts'

/** What every user of this machine may ask of cts-auth; everything else, also what is not listed at all, is for administrators. */
const SHOWN: Readonly<Record<string, (body: unknown) => boolean>> = {
  '/v1/backups/show': () => true,
  '/v1/history': () => true,
  '/v1/notifier/explain': () => true,
  '/v1/notifier/service': (body) => (body as { do?: unknown } | null)?.do === 'status',
  '/v1/notifier/show': () => true,
  '/v1/servers/config': () => true,
  '/v1/servers/show': () => true,
  '/v1/stats/servers': () => true,
  '/v1/view': () => true,
}

/** What the others are called in the log. */
const COMMANDS: Readonly<Record<string, string>> = {
  '/v1/log-in': 'a log-in to the console',
  '/v1/notifier/edit': 'netq config ts add|del notifier',
  '/v1/notifier/service': 'netq config ts start|stop|restart notifier',
  '/v1/notifier/test': 'netq config ts notifier test',
  '/v1/reset': 'netq config ts reset-cluster',
  '/v1/restore': 'netq config ts restore',
  '/v1/servers': 'netq config ts add server',
  '/v1/servers/delete': 'netq config ts del server',
  '/v1/step-down': 'netq config ts step-down',
}
/** Questions of the other daemons of this server, every few seconds: not worth a line each. */
const QUIET = ['/v1/stats/ask']

/**
 * Lets only administrators change anything by this API on its unix socket: root, the user that this process runs as, and
 * the members of the group `netq`. The others are refused with a sentence, and nothing is changed. Refusals and changes
 * are logged with who it was; what a change was asked to do is not, as it may hold a secret.
 */
export function onlyAdministratorsChange(server: FastifyInstance, paths: Paths, log: Log): void {
  server.addHook('preHandler', async (call, reply) => {
    const path = call.routeOptions.url ?? call.url
    if (SHOWN[path]?.(call.body)) return
    const command = COMMANDS[path] ?? path
    const peer = await peerOf(call.raw.socket).catch((error: unknown) => {
      log.error(`refused ${command}: ${sentenceOf(error)}`)
    })
    if (!peer) {
      return reply
        .code(500)
        .type('text/plain')
        .send('cts-auth cannot find out who asks: its log says why. Nothing was changed.\n')
    }
    if (isAdministrator(peer, paths)) {
      if (!QUIET.includes(path)) log.info(`${command}, by ${nameOf(peer)}`)
      return
    }
    log.warning(`refused ${command} to ${nameOf(peer)}, who is not in the group netq`)
    return reply
      .code(403)
      .type('text/plain')
      .send(`${command} needs root or the group netq: type it again with sudo. Nothing was changed.\n`)
  })
}

function isAdministrator({ uid, gid, groups }: Peer, paths: Paths): boolean {
  return uid === process.getuid?.() || mayAdminister(uid, [gid, ...groups], paths)
}

const nameOf = ({ uid, pid }: Peer) => `uid ${uid} (pid ${pid})`
