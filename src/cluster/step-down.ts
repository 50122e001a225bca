import { absentFrom, complete } from './agreement.ts'
import { LAG_S } from './change.ts'
import type { Controller } from './controller.ts'
import { look } from './follow.ts'
import type { PeerClient } from './peers.ts'
import { lacksQuorum } from './picture.ts'
import type { ClusterState } from './state.ts'
import type { ServerReport } from './types.ts'

/** How long handing over may take, in milliseconds: 1.5-3 s of it are the Sentinels', and whoever stops this server waits. */
const HAND_OVER_MS = 8000
const LOOK_MS = 100
/** For how long after it was asked others are preferred to this server, in milliseconds: it is about to be stopped. */
const AVOIDED_MS = 30_000

interface Parts {
  readonly self: string
  readonly controller: Controller
  readonly state: ClusterState
  readonly peers: PeerClient | undefined
}

/**
 * Hands the master's role over to the next server of the list that is in step, as a change of master does, but for the list,
 * which stays: after it this server may be stopped, and costs no failover. Ends within HAND_OVER_MS, whatever the others do.
 * @returns the exit status of the command: 0 if this server is not the master (any more)
 */
export async function stepDown(parts: Parts, say: (sentence: string) => void): Promise<number> {
  const { self, controller, state, peers } = parts
  if (!state.desired?.formed) {
    say('HA is off on this server: there is nobody to hand over to. Nothing was changed.')
    return 1
  }
  const { order } = state.desired
  controller.stepsDown = { until: performance.now() + AVOIDED_MS }
  const { mine, reports } = await look(parts)
  if (mine.redis?.role !== 'master') {
    say(`${self} is not the master: there is nothing to hand over.`)
    return 0
  }
  const able = order.filter((ip) => ip !== self && isInStep(ip, mine, reports))
  // Where several servers are stopped at once, rather one that stays; but better any than none.
  const to = able.find((ip) => !reports.some((r) => r.ip === ip && r.stepsDown)) ?? able[0]
  if (to === undefined) {
    say('No replica is in step with this server, so none can take over. Nothing was changed.')
    return 1
  }
  if (!mine.sentinel || lacksQuorum(mine.sentinel)) {
    say('The Sentinels have no quorum, so the master cannot be changed. Nothing was changed.')
    return 1
  }
  say(`${self} hands over to ${to}.`)
  const end = performance.now() + HAND_OVER_MS
  controller.stepsDown = { to, until: end }
  controller.hurry()
  await peers?.hurry(to).catch(() => {})
  try {
    return await followHandOver(parts, to, end, say)
  } finally {
    controller.stepsDown = { until: performance.now() + AVOIDED_MS }
  }
}

async function followHandOver(
  parts: Parts,
  to: string,
  end: number,
  say: (sentence: string) => void,
): Promise<number> {
  const { self, controller, state } = parts
  for (;;) {
    const { mine, reports } = await look(parts)
    const order = state.desired?.order ?? []
    const successor = reports.find((r) => r.ip === to)?.redis?.role === 'master'
    const gave = successor && mine.redis?.role !== 'master'
    const absent = absentFrom(order, reports)
    if (gave && complete(reports, order, absent)) {
      say(`${to} is the master; ${self} may be stopped.`)
      return 0
    }
    if (performance.now() > end) {
      const late = `within ${HAND_OVER_MS / 1000} s`
      if (gave)
        say(`${to} is the master, and not all servers agree on that ${late}; they go on by themselves.`)
      else say(`${to} did not take over ${late} (${controller.problem ?? controller.decision.why}).`)
      return gave ? 0 : 1
    }
    controller.hurry()
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

/** Whether a server could take over at once. */
function isInStep(ip: string, mine: ServerReport, reports: readonly ServerReport[]): boolean {
  const report = reports.find((r) => r.ip === ip)
  const online = mine.redis?.replicas.some((replica) => replica.ip === ip && replica.lag <= LAG_S)
  const redis = report?.redis
  return (
    online === true && redis?.linkUp === true && redis.syncing === undefined && report?.sentinel !== undefined
  )
}
