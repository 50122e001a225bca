import { onlyAdministratorsChange } from '../cluster/access.ts'
import { Actor } from '../cluster/act.ts'
import { clusterView, configurationApi } from '../cluster/api.ts'
import { Controller } from '../cluster/controller.ts'
import { loadIdentity } from '../cluster/identity.ts'
import { LocalConnections } from '../cluster/local.ts'
import { logInApi } from '../cluster/log-in.ts'
import { localAddresses, ownAddress } from '../cluster/own-address.ts'
import { PEER_PORT, PeerClient, peerServer } from '../cluster/peers.ts'
import { membersOf, namedBySentinels } from '../cluster/picture.ts'
import { serverLines } from '../cluster/servers-view.ts'
import { ClusterState } from '../cluster/state.ts'
import type { View } from '../cluster/types.ts'
import { feeding } from '../cluster/watchdog.ts'
import { ensureSecrets, readSecrets } from '../config/secrets.ts'
import { HEALTH_PORT, healthServer } from '../health/server.ts'
import { HealthStore } from '../health/store.ts'
import type { Situation } from '../health/types.ts'
import { Watch } from '../health/watch.ts'
import { notifierApi } from '../notifier/api.ts'
import { LocalStore } from '../notifier/connection.ts'
import { runDaemon } from '../platform/daemon.ts'
import { makeLog, sentenceOf } from '../platform/log.ts'
import { serviceManager } from '../platform/notify.ts'
import { pathsUnder } from '../platform/paths.ts'
import { Releasers } from '../platform/releasers.ts'
import { makeServices } from '../platform/services.ts'
import { listenForEveryone } from '../platform/sockets.ts'
import { statusOf } from '../query/freshness.ts'
import { Database } from '../stats/database.ts'
import { influxUrl } from '../stats/names.ts'
import { answerOf, type Question } from '../stats/others.ts'
import { READER, REDIS_PORT } from '../store/names.ts'
import { VERSION } from '../version.ts'

const log = makeLog('cts-auth')
const releasers = new Releasers()
const manager = serviceManager()

async function main(): Promise<void> {
  const paths = pathsUnder(process.env.NETQ_ROOT ?? '/')
  const identity = loadIdentity(paths)
  const state = new ClusterState(paths)
  state.load()
  const given = process.env.NETQ_ADDRESS
  const address = given ?? (await ownAddress(state, log))
  const self = address ?? '127.0.0.1'
  if (state.desired?.formed && !readSecrets(paths)) {
    log.warning(
      'the secrets of the cluster are lost here; this server joins it anew, and its copy is made anew',
    )
    state.setDesired({ ...state.desired, formed: false })
  }
  const secrets = ensureSecrets(paths)
  const services = makeServices(paths)
  const lookAgain = () => controller.hurry()
  const local = new LocalConnections(address, secrets, lookAgain)
  releasers.add('connections to Redis', () => local.close())
  const candidates = () => controller.candidates()
  const peers = address ? new PeerClient(identity, state, address, candidates, lookAgain) : undefined
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
    watch: feeding(watch, () => manager.alive(controller.decision.why)),
  })

  const store = healthStore(controller, address)
  releasers.add("the health endpoints' connections to Redis", () => store.close())
  const api = configurationApi({
    self,
    address,
    paths,
    ownAddresses: () => (given === undefined ? localAddresses() : [given]),
    startAnew,
    controller,
    local,
    state,
    peers,
    renewSentinel: (master, epoch) => actor.renewSentinel(master, epoch),
    agents: () => agentsOf(store),
  })
  const notifierStore = new LocalStore(paths, address)
  releasers.add("the notifier's connections to Redis", () => notifierStore.close())
  const view = () => clusterView({ self, controller, local })
  notifierApi(api, { paths, local: notifierStore, services, log, view })
  logInApi(api, paths)
  onlyAdministratorsChange(api, paths, log)
  await api.ready()
  // Not api.listen(), which cannot take a socket that is passed; and so its connections are closed here.
  await listenForEveryone(api.server, paths.ctsAuthSocket)
  releasers.add('the configuration socket', () => {
    api.server.closeAllConnections()
    return api.close()
  })
  const statistics = new Database(influxUrl(address))
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
    stats: (question) => answerOf(statistics, question as Question),
  })
  // Without an address too: whoever asks a server that was told of no cluster yet learns just that.
  await server.listen({ host: address ?? '0.0.0.0', port: PEER_PORT })
  releasers.add('the port for the other servers', () => server.close())
  await serveHealth(store, watch, address)
  controller.start()
  releasers.add('the control loop', () => controller.stop())
  await manager.ready()
  log.info(`started, version ${VERSION}`)
}

function healthStore(controller: Controller, address: string | undefined): HealthStore {
  return new HealthStore(() => {
    const { reader: password, prefix } = controller.secrets
    const local = address === undefined ? {} : { localAddress: address }
    const host = address ?? '127.0.0.1'
    return { host, port: REDIS_PORT, login: { username: READER, password }, ...local, prefix }
  }, statusOf)
}

async function agentsOf(store: HealthStore): Promise<string | undefined> {
  const figures = await store.figures().catch(() => undefined)
  if (!figures) return undefined
  const { fresh, waiting, rotten } = figures.agents
  return `${fresh} fresh, ${waiting} waiting, ${rotten} rotten; ${figures.spooledSum} batches in their spools`
}

/** Health over HTTP. Without it the server does its work all the same: a port that is taken does not keep it from that. */
async function serveHealth(
  store: HealthStore,
  watch: Watch<View>,
  address: string | undefined,
): Promise<void> {
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

/** Ends in order; whoever keeps this service running (systemd) starts it again. */
function startAnew(why: string): void {
  log.info(`starting anew: ${why}`)
  releasers.releaseAll(log).then(() => process.exit(0))
}

runDaemon({ log, releasers, manager, main })
