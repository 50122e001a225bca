import { mkdirSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { Actor } from '../cluster/act.ts'
import { configurationApi } from '../cluster/api.ts'
import { Controller } from '../cluster/controller.ts'
import { loadIdentity } from '../cluster/identity.ts'
import { LocalConnections } from '../cluster/local.ts'
import { PEER_PORT, PeerClient, peerServer } from '../cluster/peers.ts'
import { ClusterState } from '../cluster/state.ts'
import { ensureSecrets } from '../config/secrets.ts'
import { makeLog, sentenceOf } from '../platform/log.ts'
import { pathsUnder } from '../platform/paths.ts'
import { onStopSignal, Releasers } from '../platform/releasers.ts'
import { makeServices } from '../platform/services.ts'
import { VERSION } from '../version.ts'

const log = makeLog('cts-auth')
const releasers = new Releasers()

async function main(): Promise<void> {
  const paths = pathsUnder(process.env.NETQ_ROOT ?? '/')
  const address = process.env.NETQ_ADDRESS
  const self = address ?? '127.0.0.1'
  const identity = loadIdentity(paths)
  const secrets = ensureSecrets(paths)
  const state = new ClusterState(paths)
  state.load()
  const services = makeServices(paths)
  const local = new LocalConnections(address, secrets)
  releasers.add('connections to Redis', () => local.close())
  const peers = address ? new PeerClient(identity, state, address, () => controller.candidates()) : undefined
  if (peers) releasers.add('connections to the other servers', () => peers.close())
  const actor = new Actor({ paths, address, services, local, state, peers, secrets, log })
  const { fingerprint } = identity
  const controller = new Controller({
    self,
    version: VERSION,
    fingerprint,
    services,
    local,
    state,
    peers,
    actor,
    log,
  })

  const api = configurationApi({ self, address, controller, local, state })
  mkdirSync(dirname(paths.ctsAuthSocket), { recursive: true })
  rmSync(paths.ctsAuthSocket, { force: true })
  await api.listen({ path: paths.ctsAuthSocket })
  releasers.add('the configuration socket', () => api.close())
  if (address) {
    const server = peerServer(identity, state, {
      report: () => controller.report(),
      clusterKey: (ip) => {
        if (!state.desired?.formed || state.desired.order[0] !== self)
          throw new Error(`${self} has not begun the cluster`)
        log.info(`gave ${ip} the secrets of the cluster`)
        return controller.secrets.key
      },
      vote: (ip, epoch) => state.voteFor(epoch, ip),
      failover: (ip) => actor.failover(ip),
      hurry: () => controller.hurry(),
      candidates: () => controller.candidates(),
    })
    await server.listen({ host: address, port: PEER_PORT })
    releasers.add('the port for the other servers', () => server.close())
  }
  controller.start()
  releasers.add('the control loop', () => controller.stop())
  log.info(`started, version ${VERSION}`)
}

onStopSignal(() => releasers.releaseAll(log))
main().catch(async (error: unknown) => {
  log.error(`cannot start: ${sentenceOf(error)}`)
  await releasers.releaseAll(log)
  process.exit(1)
})
