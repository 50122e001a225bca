import { NEEDS_YES } from '../api/types.ts'
import type { Controller } from './controller.ts'
import type { PeerClient } from './peers.ts'
import { highestEpoch, mastersAmong, namedBySentinels } from './picture.ts'
import type { ClusterState } from './state.ts'
import type { ServerReport } from './types.ts'

interface Parts {
  readonly self: string
  readonly controller: Controller
  readonly state: ClusterState
  readonly peers: PeerClient | undefined
  renewSentinel(master: string, epoch: number): Promise<void>
}

/** How long a Sentinel that was started anew may take to know the others, in milliseconds. */
const KNOW_MS = 15_000

/**
 * `reset-cluster`: the Sentinels' state is made anew from the operator's list, one server after the other; data are
 * never touched. Everything else that could be wrong (a second master, a stale list) the servers put right by
 * themselves, and what they are doing about it is told.
 * @param really false: only say what would be done
 * @returns the exit status of the command
 */
export async function resetCluster(
  parts: Parts,
  really: boolean,
  say: (sentence: string) => void,
): Promise<number> {
  const { desired } = parts.state
  if (!desired?.formed) {
    say('HA is off on this server: there is no cluster to reset. Nothing was changed.')
    return 1
  }
  const members = await look(parts)
  const masters = mastersAmong(members)
  const named = namedBySentinels(members)?.ip
  const master =
    named !== undefined && masters.includes(named) ? named : masters.length === 1 ? masters[0] : undefined
  for (const ip of desired.order)
    for (const finding of findings(ip, members.get(ip), desired.order, master)) say(`${ip}: ${finding}`)
  if (master === undefined) {
    say(
      masters.length > 1
        ? `${masters.join(' and ')} both say that they are the master; the older one gives way by itself. Nothing was changed; look again in a few seconds.`
        : 'No server is the master: the servers choose the newest copy by themselves as soon as two of them are there. Nothing was changed.',
    )
    return 1
  }
  const epoch = highestEpoch(members) + 1
  const present = desired.order.filter((ip) => members.has(ip))
  say(`${master} is the master and stays it; no data are touched.`)
  say(
    `The Sentinels of ${present.join(', ')} ${really ? 'are' : 'would be'} started anew, one after the other, in epoch ${epoch}.`,
  )
  if (!really) return NEEDS_YES
  for (const ip of present) {
    if (ip === parts.self) await parts.renewSentinel(master, epoch)
    else await parts.peers!.renewSentinel(ip, master, epoch)
    const end = performance.now() + KNOW_MS
    for (;;) {
      const sentinel = (await look(parts)).get(ip)?.sentinel
      if (sentinel?.master === master && sentinel.others === desired.order.length - 1) break
      if (performance.now() > end) {
        say(
          `The Sentinel of ${ip} does not know the others within ${KNOW_MS / 1000} s. Run the command again once all servers are up.`,
        )
        return 1
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    say(`  ${ip}: the Sentinel is new and watches ${master}`)
  }
  say('The cluster is reset.')
  return 0
}

/** What is not as it should be on a server. */
function findings(
  ip: string,
  report: ServerReport | undefined,
  order: readonly string[],
  master: string | undefined,
): string[] {
  if (!report) return ['cannot be reached, and is left out']
  const found: string[] = []
  const { redis, sentinel } = report
  if (!redis) found.push(report.redisProblem ?? 'Redis is not running')
  if (!sentinel) found.push(report.sentinelProblem ?? 'the Sentinel is not running')
  const stale = sentinel?.knows.filter((known) => !order.includes(known)) ?? []
  if (stale.length > 0) found.push(`the Sentinel knows ${stale.join(', ')}, which is not in the cluster`)
  if (sentinel && master !== undefined && sentinel.master !== master)
    found.push(`the Sentinel watches ${sentinel.master}`)
  if (sentinel && !sentinel.quorum) found.push('the Sentinel has no quorum')
  if (redis?.role === 'master' && master !== undefined && ip !== master)
    found.push('says that it is the master too')
  return found
}

async function look({ controller, state, self }: Parts): Promise<Map<string, ServerReport>> {
  const [mine, peers] = await Promise.all([controller.report(), controller.askPeers()])
  const all = new Map<string, ServerReport>([[self, mine]])
  for (const [ip, seen] of peers) if ('report' in seen) all.set(ip, seen.report)
  return new Map(
    [...all].filter(([, r]) => r.desired?.formed && r.desired.clusterId === state.desired?.clusterId),
  )
}
