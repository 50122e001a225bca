import { mkdirSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { Actor } from '../cluster/act.ts'
import { configurationApi } from '../cluster/api.ts'
import { Controller } from '../cluster/controller.ts'
import { loadIdentity } from '../cluster/identity.ts'
import { LocalConnections } from '../cluster/local.ts'
import { PEER_PORT, PeerClient, peerServer } from '../cluster/peers.ts'
import { membersOf, namedBySentinels } from '../cluster/picture.ts'
import { serverLines } from '../cluster/servers-view.ts'
import { ClusterState } from '../cluster/state.ts'
import type { View } from '../cluster/types.ts'
import { ensureSecrets, readSecrets } from '../config/secrets.ts'
import { HEALTH_PORT, healthServer } from '../health/server.ts'
import { HealthStore } from '../health/store.ts'
import type { Situation } from '../health/types.ts'
import { Watch } from '../health/watch.ts'
import { makeLog, sentenceOf } from '../platform/log.ts'
import { pathsUnder } from '../platform/paths.ts'
import { onStopSignal, Releasers } from '../platform/releasers.ts'
import { makeServices } from '../platform/services.ts'
import { statusOf } from '../query/freshness.ts'
import { READER, REDIS_PORT } from '../store/names.ts'
import { VERSION } from '../version.ts'

const log = makeLog('cts-auth')
const releasers = new Releasers()

async function main(): Promise<void> {
  const paths = pathsUnder(process.env.NETQ_ROOT ?? '/')
  const address = process.env.NETQ_ADDRESS
  const self = address ?? '127.0.0.1'
  const identity = loadIdentity(paths)
  const state = new ClusterState(paths)
  state.load()
  if (state.desired?.formed && !readSecrets(paths)) {
    log.warning(
      'the secrets of the cluster are lost here; this server joins it anew, and its copy is made anew',
    )
    state.setDesired({ ...state.desired, formed: false })
  }
  const secrets = ensureSecrets(paths)
  const services = makeServices(paths)
  const local = new LocalConnections(address, secrets)
  releasers.add('connections to Redis', () => local.close())
  const peers = address ? new PeerClient(identity, state, address, () => controller.candidates()) : undefined
  if (peers) releasers.add('connections to the other servers', () => peers.close())
  const actor = new Actor({ paths, address, services, local, state, peers, secrets, log })
  const { fingerprint } = identity
  const watch = new Watch<View>()
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
    watch,
  })

  const api = configurationApi({
    self,
    address,
    controller,
    local,
    state,
    peers,
    renewSentinel: (master, epoch) => actor.renewSentinel(master, epoch),
  })
  mkdirSync(dirname(paths.ctsAuthSocket), { recursive: true })
  rmSync(paths.ctsAuthSocket, { force: true })
  await api.listen({ path: paths.ctsAuthSocket })
  releasers.add('the configuration socket', () => api.close())
  if (address) {
    const server = peerServer(identity, state, {
      report: () => controller.report(),
      clusterKey: (ip) => {
        if (!state.desired?.formed) throw new Error(`${self} is in no cluster yet`)
        log.info(`gave ${ip} the secrets of the cluster`)
        return controller.secrets.key
      },
      vote: (ip, epoch) => state.voteFor(epoch, ip),
      failover: (ip) => actor.failover(ip),
      hurry: () => controller.hurry(),
      renewSentinel: (master, epoch) => actor.renewSentinel(master, epoch),
      candidates: () => controller.candidates(),
    })
    await server.listen({ host: address, port: PEER_PORT })
    releasers.add('the port for the other servers', () => server.close())
  }
  await serveHealth(controller, watch, address)
  controller.start()
  releasers.add('the control loop', () => controller.stop())
  log.info(`started, version ${VERSION}`)
}

/** Health over HTTP. Without it the server does its work all the same: a port that is taken does not keep it from that. */
async function serveHealth(
  controller: Controller,
  watch: Watch<View>,
  address: string | undefined,
): Promise<void> {
  const store = new HealthStore(() => {
    const { reader: password, prefix } = controller.secrets
    const local = address === undefined ? {} : { localAddress: address }
    const host = address ?? '127.0.0.1'
    return { host, port: REDIS_PORT, login: { username: READER, password }, ...local, prefix }
  }, statusOf)
  releasers.add("the health endpoints' connections to Redis", () => store.close())
  const server = healthServer({ version: VERSION, store, situation: () => situationOf(watch) })
  releasers.add('the port for health', () => server.close())
  try {
    await server.listen({ host: address ?? '0.0.0.0', port: HEALTH_PORT })
  } catch (error) {
    log.warning(`health is not served over HTTP, and all else is: ${sentenceOf(error)}`)
  }
}

function situationOf({ last, rounds, roundAgeMs, gapMs }: Watch<View>): Situation {
  const now = Date.now()
  const loop = { now, rounds, roundAgeMs, ...(gapMs === undefined ? {} : { gapMs }) }
  if (!last) return loop
  const { mine, peers, self } = last.view
  const named = mine.desired && namedBySentinels(membersOf(last.view))?.ip
  const servers = serverLines({ mine, peers, roles: new Map(), now })
  return { ...loop, look: { ageMs: last.ageMs, self, mine, servers, named } }
}

onStopSignal(() => releasers.releaseAll(log))
main().catch(async (error: unknown) => {
  log.error(`cannot start: ${sentenceOf(error)}`)
  await releasers.releaseAll(log)
  process.exit(1)
})
