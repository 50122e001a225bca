import { lacksQuorum, type Reports } from './picture.ts'
import { decideRestore, dropStaged, putAside } from './restoring.ts'
import type { Decision, Proposal, View } from './types.ts'

/** How far a replica may be behind for a switchover to it, in seconds of replication lag; what is missing is waited for then. */
export const LAG_S = 2

/**
 * What the master does about a change that an operator asked for. Only the master carries changes out, and a change
 * is made by writing it to the store, so that two operators, or two halves of a network, cannot make two.
 *
 * First the server that the list begins with becomes the master, then the list is written down; if it names a new
 * server, that one joins and the one it replaces leaves by the list. Whatever dies between two
 * steps, the next round, on whoever is the master then, finds the proposal and the state as they are.
 */
export function decideChange(
  view: View,
  members: Reports,
  order: readonly string[],
): Decision | { wait: string } | undefined {
  const restore = putAside(view) ?? dropStaged(view, members)
  if (restore) return restore
  const { stepsDown } = view.mine
  if (stepsDown?.to !== undefined)
    return switchOver(view, members, stepsDown.to, (sentence) => ({ wait: sentence }))
  const proposal = nextProposal(view, members)
  if (!proposal) return undefined
  const refuse = (sentence: string): Decision => ({
    action: { do: 'refuse', id: proposal.id, sentence },
    why: sentence,
  })
  const { generation } = view.mine.desired!
  if (proposal.base !== generation) {
    return refuse(
      `The servers were changed meanwhile, to ${order.join(' ')}. Look at them and run the command again`,
    )
  }
  if (proposal.restore !== undefined) return decideRestore(view, members, proposal, proposal.restore, refuse)
  const added = proposal.order.filter((ip) => !order.includes(ip))
  if (added.length > 1) return refuse('Only one server can be replaced at a time. Nothing was changed')
  if (added[0] === proposal.order[0] && added.length > 0) {
    return refuse(
      `${added[0]} is new and cannot be the first: put it second or third, and change the order after. Nothing was changed`,
    )
  }
  const wait = waitForNewcomer(view, members, proposal)
  if (wait !== undefined) return { wait }
  const first = proposal.order[0]!
  if (first !== view.self) return switchOver(view, members, first, refuse)
  if (view.mine.redis!.replicas.every(({ lag }) => lag > LAG_S))
    return { wait: 'waiting for a replica that can confirm the new list' }
  return {
    action: { do: 'commit', order: proposal.order, generation: generation + 1 },
    why: `the servers are to be ${proposal.order.join(' ')}`,
  }
}

/** The server that a change makes the master next; it prepares for that itself. */
export function wantedMaster(view: View, members: Reports): string | undefined {
  const givesWay = [...members.values()].find(
    (r) => r.stepsDown?.to !== undefined && r.redis?.role === 'master',
  )
  if (givesWay) return givesWay.stepsDown?.to
  const proposal = nextProposal(view, members)
  if (!proposal || proposal.restore !== undefined) return undefined
  if (proposal.base !== view.mine.desired!.generation) return undefined
  return waitForNewcomer(view, members, proposal) === undefined ? proposal.order[0] : undefined
}

/** The oldest proposal that would change something and was not refused. */
function nextProposal(view: View, members: Reports): Proposal | undefined {
  const order = view.mine.desired!.order.join(' ')
  const restored = view.mine.redis?.restored?.id
  const refused = new Set([...members.values()].flatMap((r) => (r.refusal ? [r.refusal.id] : [])))
  return [...members.values()]
    .flatMap((r) => (r.proposal ? [r.proposal] : []))
    .filter((p) => !refused.has(p.id))
    .filter((p) => (p.restore === undefined ? p.order.join(' ') !== order : p.id !== restored))
    .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1))[0]
}

/** Why a replacement cannot begin yet: its own operator has to have told the new server too. */
function waitForNewcomer({ mine, peers }: View, members: Reports, proposal: Proposal): string | undefined {
  const newcomer = proposal.order.find((ip) => !mine.desired!.order.includes(ip))
  if (newcomer === undefined) return undefined
  if ([...members.values()].some((r) => r.greets.includes(newcomer))) return undefined
  const seen = peers.get(newcomer)
  if (!seen || 'unreachable' in seen)
    return `waiting for ${newcomer}: ${seen?.unreachable ?? 'not asked yet'}`
  return `waiting for ${newcomer}: run netq config ts add server ${proposal.order.join(' ')} there too`
}

function switchOver(
  view: View,
  members: Reports,
  to: string,
  refuse: (sentence: string) => Decision | { wait: string },
): Decision | { wait: string } {
  const report = members.get(to)
  const replica = view.mine.redis!.replicas.find(({ ip }) => ip === to)
  if (replica && !report?.redis) return { wait: `waiting for ${to}: its cts-auth does not answer` }
  if (!report?.redis || !replica)
    return refuse(`${to} is not a replica that is online, so it cannot be the master. Nothing was changed`)
  if (report.redis.syncing !== undefined || replica.lag > LAG_S)
    return { wait: `waiting until ${to} has caught up` }
  const sentinels = [...members.values()].flatMap((r) => (r.sentinel ? [r.sentinel] : []))
  if (sentinels.some((s) => s.tilt || s.failover)) return { wait: 'waiting until the Sentinels are calm' }
  const own = view.mine.sentinel
  if (!own || lacksQuorum(own) || sentinels.length < 2) {
    return refuse('The Sentinels have no quorum, so the master cannot be changed. Nothing was changed')
  }
  if (!own.quorum) return { wait: 'waiting until the Sentinel here sees the others' }
  if (report.redis.priority !== 1 || report.sentinel?.ownPriority !== 1)
    return { wait: `${to} prepares to be the master` }
  return { action: { do: 'switch-over', to }, why: `${to} is to be the master` }
}
