import { readFileSync } from 'node:fs'
import { ask } from '../../src/platform/ask.ts'
import type { LabServer } from '../server.ts'

/** How long a daemon may take to answer, in milliseconds; a frozen one does not answer at all. */
const ANSWER_MS = 2000

/** One line of `netq config ts show server json`. */
interface Shown {
  readonly server: string
  readonly role: string
  readonly master: string
  readonly status: string
}

/** What `netq config ts show server json` says on a server. Rejects with a sentence if it says nothing. */
async function shownOn({ paths }: LabServer): Promise<Shown[]> {
  const { servers } = await ask<{ servers: Shown[] }>(
    paths.ctsAuthSocket,
    '/v1/servers/show',
    { json: true },
    ANSWER_MS,
  )
  return servers
}

/** The servers in order that a server has, as `netq config ts show server config json` says. */
async function listOf({ paths, address }: LabServer): Promise<string[]> {
  const { servers } = await ask<{ servers: { server: string; configured: string[] }[] }>(
    paths.ctsAuthSocket,
    '/v1/servers/config',
    { json: true },
    ANSWER_MS,
  )
  return servers.find(({ server }) => server === address)?.configured ?? []
}

/** The cluster as all three of its servers see it. */
export interface Agreement {
  /** In the operator's order. */
  readonly members: readonly string[]
  readonly master: string
  /** The name of a server on which an operator asked for something that is still to be done. */
  readonly waiting?: string
}

/**
 * What a server may say of itself while the servers agree. A Sentinel that saw its clock jump keeps out of every decision for
 * the next 30 s (Redis calls that tilt), which the screen has to show, and which is no disagreement.
 */
const GOOD = ['ok', 'tilt']

/**
 * What the servers agree on: the same list on the three that are in it, and one master that all of them show as that, with
 * nothing wrong on any. Throws a sentence that says what is missing.
 */
export async function agreement(servers: readonly LabServer[]): Promise<Agreement> {
  const lists = await Promise.all(servers.map((server) => listOf(server).catch(() => [])))
  const members = lists.find(
    (list) => list.length === 3 && list.every((ip) => lists[indexOf(servers, ip)]?.join() === list.join()),
  )
  if (!members)
    throw new Error(`no three servers have the same list: ${lists.map((list) => list.join(' ')).join(' | ')}`)
  const own = members.map((ip) => servers[indexOf(servers, ip)]!)
  const screens = await Promise.all(own.map(shownOn))
  const said = screens.map((lines) =>
    lines.map(({ server, role, master, status }) => `${server} ${role} ${master} ${status}`).join('; '),
  )
  const masters = screens[0]!.filter(({ role }) => role === 'master')
  const [one] = masters
  const right =
    masters.length === 1 &&
    screens[0]!.length === 3 &&
    screens[0]!.every(({ status, master }) => GOOD.includes(status) && master === one!.server)
  if (!right || said.some((text) => text !== said[0])) throw new Error(said.join(' | '))
  const waiting = own.find(({ paths }) => /"proposal"/.test(readFileSync(paths.clusterState, 'utf8')))
  return { members, master: one!.server, ...(waiting ? { waiting: waiting.name } : {}) }
}

/** The address of the master that most servers show, or undefined. */
export async function masterNow(servers: readonly LabServer[]): Promise<string | undefined> {
  const screens = await Promise.all(servers.map((server) => shownOn(server).catch(() => [])))
  const votes = new Map<string, number>()
  for (const lines of screens) {
    const masters = lines.filter(({ role, status }) => role === 'master' && status === 'ok')
    if (lines.length !== 3 || masters.length !== 1) continue
    const { server } = masters[0]!
    votes.set(server, (votes.get(server) ?? 0) + 1)
  }
  return [...votes].sort(([, a], [, b]) => b - a)[0]?.[0]
}

function indexOf(servers: readonly LabServer[], ip: string): number {
  return servers.findIndex(({ address }) => address === ip)
}
