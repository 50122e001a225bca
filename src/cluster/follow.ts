import { randomUUID } from 'node:crypto'
import { NEEDS_YES } from '../api/types.ts'
import { absentFrom, agreement, complete, wasTold } from './agreement.ts'
import type { Controller } from './controller.ts'
import { mastersAmong, namedBySentinels, reportsOf } from './picture.ts'
import type { ClusterState } from './state.ts'
import type { Proposal, Seen, ServerReport } from './types.ts'

/** How long the command stays to tell how it goes on; the servers go on by themselves. Milliseconds. */
const FOLLOW_MS = 60_000
const LOOK_MS = 150
/** How long a server that cannot be reached is waited for once a change is made, in milliseconds. */
const ABSENT_MS = 5000
/** How long nobody must have seen that a new server was told, in milliseconds: the master may have looked just before. */
const UNTOLD_MS = 1500

/** What became of an operator's list. */
export type Taken =
  /** `self` is the one of the list that is this server. */
  | { readonly kind: 'formation'; readonly order: readonly string[]; readonly self: string }
  | { readonly kind: 'same'; readonly order: readonly string[]; readonly believed: readonly string[] }
  | { readonly kind: 'plan'; readonly order: readonly string[] }
  | { readonly kind: 'change'; readonly proposal: Proposal; readonly from: readonly string[] }

interface Followed {
  readonly self: string
  readonly controller: Controller
  readonly state: ClusterState
}

type Say = (sentence: string) => void

/**
 * Tells the operator what is done and how it goes on, each sentence once, and ends when there is nothing more to do on
 * this server. @returns the exit status of the command
 */
export async function follow(parts: Followed, taken: Taken, tell: Say): Promise<number> {
  const say = once(tell)
  if (taken.kind === 'formation') return followFormation(parts, taken.order, say)
  const { reports } = await look(parts)
  const master = masterOf(reports)
  if (taken.kind === 'same') {
    for (const ip of taken.believed) say(`The new certificate of ${ip} is believed from now on.`)
    say(
      `The servers are ${taken.order.join(' ')} already; ${master ?? 'none of them'} is the master. Nothing was changed.`,
    )
    return 0
  }
  if (taken.kind === 'plan') {
    for (const line of planOf(parts.state.desired?.order, taken.order, reports)) say(line)
    say('This was a dry run: nothing was changed.')
    return 0
  }
  for (const line of planOf(taken.from, taken.proposal.order, reports)) say(line)
  return followChange(parts, taken.proposal, say)
}

/** `del server`: HA off. The master goes on as a single server with all data; the others become empty single servers. */
export async function turnOff(parts: Followed, really: boolean, tell: Say): Promise<number> {
  const say = once(tell)
  const { desired } = parts.state
  const { reports } = await look(parts)
  const master = masterOf(reports)
  if (!desired?.formed) {
    if (desired && really) parts.state.leave()
    say(
      `HA is off on this server already. ${desired && really ? 'It waits for no other server any more.' : 'Nothing was changed.'}`,
    )
    return 0
  }
  if (master === undefined) {
    say(
      'No server is the master now, so none could go on alone. Nothing was changed; look with: netq config ts show server',
    )
    return 1
  }
  const others = desired.order.filter((ip) => ip !== master)
  say(`${master} goes on as a single server with everything that is stored.`)
  say(
    `${others.join(' and ')} become single servers without data; their copies are kept in var/lib/cts/archive.`,
  )
  if (!really) return NEEDS_YES
  const proposal = { id: randomUUID(), order: [master], base: desired.generation, at: Date.now() }
  if (parts.state.proposal) parts.controller.supersede(parts.state.proposal.id)
  parts.state.propose(proposal)
  parts.controller.hurry()
  const end = performance.now() + FOLLOW_MS
  while (parts.state.desired?.formed && performance.now() < end) {
    const outcome = parts.controller.outcome(proposal.id)
    if (outcome) {
      say(`${outcome}.`)
      return 1
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  if (!parts.state.desired?.formed) {
    say('HA mode is off.')
    return 0
  }
  say(`It is not done yet: ${parts.controller.problem ?? parts.controller.decision.why}.`)
  say('It goes on by itself; look with: netq config ts show server')
  return 1
}

function once(say: Say): Say {
  const told = new Set<string>()
  return (sentence) => {
    if (!told.has(sentence)) say(sentence)
    told.add(sentence)
  }
}

/** What a list would change, a line each. */
function planOf(
  from: readonly string[] | undefined,
  to: readonly string[],
  reports: readonly ServerReport[],
): string[] {
  if (!from)
    return [
      `HA would be turned on with ${to[0]} as the master and ${to.slice(1).join(' and ')} as its replicas.`,
    ]
  const lines: string[] = []
  const master = masterOf(reports)
  const added = to.find((ip) => !from.includes(ip))
  const removed = from.find((ip) => !to.includes(ip))
  if (master !== to[0]) {
    const lag = reports.find((r) => r.ip === master)?.redis?.replicas.find((r) => r.ip === to[0])?.lag
    lines.push(
      `${master ?? 'No server'} is the master now; ${to[0]} is to be the master${lag === undefined || lag < 2 ? '' : ` (it is ${lag} s behind)`}.`,
    )
  }
  if (added !== undefined) lines.push(`${added} takes the place of ${removed}.`)
  const holds = reports.find((r) => r.ip === added)?.redis?.applied ?? 0
  if (holds > 0) lines.push(`${added} holds data of its own, which it keeps in var/lib/cts/archive.`)
  if (lines.length === 0)
    lines.push(`${to[0]} is the master and stays it; only the order of the list changes.`)
  return lines
}

async function followChange(parts: Followed, proposal: Proposal, say: Say): Promise<number> {
  const { order } = proposal
  const end = performance.now() + FOLLOW_MS
  let made: number | undefined
  let untold: number | undefined
  while (performance.now() < end) {
    const { reports } = await look(parts)
    const now = performance.now()
    const outcome = parts.controller.outcome(proposal.id)
    if (outcome) {
      say(`${outcome}.`)
      return 1
    }
    if (!parts.state.desired?.formed) {
      say('This server is in the cluster no more: another change came before this one.')
      return 1
    }
    if (outcome === '') {
      made ??= now
      const absent = absentFrom(order, reports)
      if ((absent.length === 0 || now - made > ABSENT_MS) && complete(reports, order, absent)) {
        say(agreement(reports, order, absent))
        return 0
      }
    }
    const master = reports.find((r) => r.redis?.role === 'master' && r.desired?.formed)
    const [, newcomer] = /^waiting for (\S+): .* there too/.exec(master?.doing ?? '') ?? []
    const waits = outcome === undefined && newcomer !== undefined && !wasTold(newcomer, order, reports)
    untold = waits ? (untold ?? now) : undefined
    if (untold !== undefined && now - untold > UNTOLD_MS) {
      say(`Now run the same command on ${newcomer}: netq config ts add server ${order.join(' ')}`)
      say('The change is then carried out by itself; nothing has to be waited for.')
      return 0
    }
    if (
      master &&
      outcome === undefined &&
      newcomer === undefined &&
      master.doing !== 'this server is the master'
    )
      say(`  ${master.ip}: ${master.doing}`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  say(`It is not complete yet: ${parts.controller.problem ?? parts.controller.decision.why}.`)
  say('It goes on by itself; look with: netq config ts show server')
  return 1
}

async function followFormation(parts: Followed, order: readonly string[], say: Say): Promise<number> {
  const { self, controller, state } = parts
  const end = performance.now() + FOLLOW_MS
  while (performance.now() < end) {
    const { mine, peers, reports } = await look(parts)
    const same = reports.filter((r) => r.desired?.order.join() === order.join())
    const missing = order.filter((ip) => ip !== self && !same.some((r) => r.ip === ip))
    const replacing = reports.some((r) => r.desired?.formed && r.proposal?.order.join() === order.join())
    if (replacing && !state.desired?.formed) {
      say('The cluster was told of this server; it takes its place.')
    } else if (missing.length > 0 && !state.desired?.formed) {
      say(`${order.length - missing.length} of ${order.length} servers are configured.`)
      const other = reports.find((r) => r.desired && r.desired.order.join() !== order.join())
      if (other) {
        const { formed, order: theirs } = other.desired!
        const hint = formed
          ? 'Run the same command there; this server then takes its place by itself.'
          : 'The cluster is formed once all three have the same.'
        say(
          `${other.ip} ${formed ? 'is in a cluster of' : 'was given another list:'} ${theirs.join(' ')}. ${hint}`,
        )
        return formed ? 0 : 1
      }
      const doubts = [...peers].flatMap(([ip, seen]) =>
        'unreachable' in seen && /certificate/.test(seen.unreachable) ? [`${ip}: ${seen.unreachable}`] : [],
      )
      for (const doubt of doubts) say(doubt)
      say(`Now run the same command on ${missing.join(' and ')}, in any order; nothing has to be waited for.`)
      return 0
    }
    if (complete(reports, order) && mine.desired?.formed) {
      const master = masterOf(reports)
      say(
        `HA mode is on: ${master} is the master, ${order.filter((ip) => ip !== master).join(' and ')} are its replicas.`,
      )
      return 0
    }
    if (/holds data and/.test(reports.find((r) => r.ip === order[0])?.doing ?? '')) {
      say(`${reports.find((r) => r.ip === order[0])!.doing}. Nothing was changed.`)
      return 1
    }
    if (!replacing) say(`${order.length} of ${order.length} servers are configured; forming the cluster.`)
    for (const report of reports) {
      const { redis } = report
      if (report.desired?.formed && redis?.linkUp) say(`  ${report.ip} follows ${redis.follows}`)
      if (redis?.syncing !== undefined) say(`  ${report.ip} copies the data`)
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  say(`The cluster is not complete yet: ${controller.problem ?? controller.decision.why}.`)
  say('It goes on by itself; look with: netq config ts show server')
  return 1
}

/** What all the servers say now. */
export async function look({ controller }: Pick<Followed, 'controller'>): Promise<{
  mine: ServerReport
  peers: Map<string, Seen>
  reports: ServerReport[]
}> {
  const [mine, peers] = await Promise.all([controller.report(), controller.askPeers()])
  return { mine, peers, reports: [...reportsOf({ mine, peers }).values()] }
}

function masterOf(reports: readonly ServerReport[]): string | undefined {
  const members = new Map(reports.filter((r) => r.desired?.formed).map((r) => [r.ip, r]))
  return namedBySentinels(members)?.ip ?? mastersAmong(members)[0]
}
