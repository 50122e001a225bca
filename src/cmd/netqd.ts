import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { type Reply, showListener, textReply } from '../api/show-listener.ts'
import type { ShowRequest } from '../api/types.ts'
import { readNetqConfig } from '../config/netq-yml.ts'
import { ask } from '../platform/ask.ts'
import { runDaemon } from '../platform/daemon.ts'
import { makeLog } from '../platform/log.ts'
import { Loop } from '../platform/loop.ts'
import { serviceManager } from '../platform/notify.ts'
import { pathsUnder } from '../platform/paths.ts'
import { Releasers } from '../platform/releasers.ts'
import { listenForEveryone } from '../platform/sockets.ts'
import { LocalCopy } from '../query/local-copy.ts'
import { NetworkDoor } from '../query/network-door.ts'
import { KnownServers } from '../relay/known-servers.ts'
import { Relay } from '../relay/relay.ts'
import { VERSION } from '../version.ts'

/** How often netqd asks itself whether it answers, in milliseconds. */
const ASK_MYSELF_MS = 2000

const log = makeLog('netqd')
const releasers = new Releasers()
const manager = serviceManager()
const paths = pathsUnder(process.env.NETQ_ROOT ?? '/')
const address = process.env.NETQ_ADDRESS
const copy = new LocalCopy(paths, address)
let relay: Relay | undefined

async function main(): Promise<void> {
  releasers.add('the connection to Redis', () => copy.close())
  const listener = showListener(show, log)
  const server = createServer(listener)
  await listenForEveryone(server, paths.netqdSocket)
  releasers.add('the socket', () => {
    server.close()
    server.closeAllConnections()
  })
  const door = new NetworkDoor(paths, address, listener)
  releasers.add('the port for the nodes', () => door.close())
  const opening = new Loop('answers to the nodes', log, () => door.look())
  releasers.add('the look for the certificate', () => opening.stop())
  const checking = new Loop('a question to myself', log, async () => {
    await ask(paths.netqdSocket, '/v1/alive')
    manager.alive()
    return ASK_MYSELF_MS
  })
  releasers.add('the question to myself', () => checking.stop())
  await manager.ready()
  log.info(`started, version ${VERSION}`)
}

/** From the copy of this server, once cts-auth has made it one; on a node, from a server's netqd. */
async function show(request: ShowRequest): Promise<Reply> {
  if (existsSync(paths.secrets)) return copy.show(request)
  if (relay) return relay.show(request)
  const { servers } = (await readNetqConfig(paths)).agent
  if (servers.join() === '127.0.0.1') {
    return textReply(
      503,
      'This node was told of no telemetry server. To tell it: sudo netq config add server <ip>, or the three of a cluster.',
    )
  }
  relay = new Relay(servers, new KnownServers(paths.knownServers, log), log)
  return relay.show(request)
}

runDaemon({ log, releasers, manager, main })
