import { randomUUID } from 'node:crypto'
import { basename } from 'node:path'
import type { Redis } from 'ioredis'
import { NEEDS_YES, type RestoreRequest } from '../api/types.ts'
import { type Contents, contentsOfBackup } from '../backup/contents.ts'
import { pathOf } from '../backup/files.ts'
import { memoryAvailable } from '../backup/room.ts'
import { Scratch } from '../backup/scratch.ts'
import { stage } from '../backup/stage.ts'
import type { Paths } from '../platform/paths.ts'
import { connect } from '../store/connection.ts'
import { ADMIN, REDIS_PORT } from '../store/names.ts'
import { amount } from '../text/amount.ts'
import { ago } from '../text/duration.ts'
import type { Controller } from './controller.ts'
import { look } from './follow.ts'
import { mastersAmong, namedBySentinels } from './picture.ts'
import type { ClusterState } from './state.ts'
import type { ServerReport } from './types.ts'

/** How long the command stays to tell how it goes on; the servers go on by themselves. Milliseconds. */
const FOLLOW_MS = 10 * 60_000
const LOOK_MS = 150
/** How long servers may take to have what the master has, once it has it; milliseconds. */
const ARRIVE_MS = 10_000
/** Whoever reads a backup says so this often, with room to spare; milliseconds. */
const READING_MS = 3000
/** An answer of the master while it takes the backup, in milliseconds. */
const ANSWER_MS = 15_000
/** What a backup may take in memory, as a multiple of its size unpacked: short rows take most. */
const UNPACKED_TO_MEMORY = 3
/** The share of maxmemory up to which the store is filled with what is staged. */
const FULL = 0.95

export interface RestoreParts {
  readonly self: string
  readonly address: string | undefined
  readonly paths: Paths
  readonly controller: Controller
  readonly state: ClusterState
}

type Say = (sentence: string) => void

/**
 * `netq config ts restore <file> [yes]`: reads the backup whole, says what it would do, stages it in the store of the
 * master and asks the master, by a proposal like any other change, to put it in the place of what is there.
 * Rejects with a sentence; nothing was changed then.
 * @returns the exit status of the command
 */
export async function restoreBackup(parts: RestoreParts, request: RestoreRequest, say: Say): Promise<number> {
  const path = pathOf(parts.paths, request.file)
  const name = basename(path)
  say(`Reading ${path} ...`)
  const master = await masterNow(parts)
  const scratch = Scratch.make(parts.paths)
  const id = `${parts.self}-${randomUUID()}`
  try {
    const backup = await readBackup(scratch, path)
    const contents = await contentsOfBackup(backup, path)
    for (const line of planOf(parts, contents, master)) say(line)
    if (!request.yes) return NEEDS_YES
    await bring(parts, { backup, contents, master, id, name }, say)
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}. Nothing was changed`)
  } finally {
    await scratch.close()
  }
  return followRestore(parts, id, name, say)
}

/** The server that takes writes now. */
async function masterNow(parts: RestoreParts): Promise<ServerReport> {
  const { reports } = await look(parts)
  if (parts.state.proposal) throw new Error('Another change is under way on this server. Nothing was changed')
  const members = new Map(reports.filter((r) => r.desired?.formed).map((r) => [r.ip, r]))
  const formed = parts.state.desired?.formed === true
  const ip = formed ? (namedBySentinels(members)?.ip ?? mastersAmong(members)[0]) : parts.self
  const master = reports.find((report) => report.ip === ip)
  if (master?.redis?.role !== 'master') {
    throw new Error(
      'No server is the master now, so nothing can be restored. Nothing was changed; look with: netq config ts show server',
    )
  }
  const { staged } = master.redis
  const asked = reports.some(({ proposal }) => proposal !== undefined && proposal.id === staged?.id)
  if (staged && (asked || Date.now() - staged.at < READING_MS))
    throw new Error('Another backup is being restored. Nothing was changed; run the command again after that')
  return master
}

async function readBackup(scratch: Scratch, path: string): Promise<Redis> {
  const bytes = await scratch.unpack(path)
  const needed = UNPACKED_TO_MEMORY * bytes
  const available = memoryAvailable()
  if (available < needed) {
    throw new Error(
      `This server has ${amount(available, 'B')} of memory to spare, and loading ${path} to see whether it is whole may take ${amount(needed, 'B')}`,
    )
  }
  return scratch.load(path)
}

/** What a restore would do, a line each. */
function planOf(
  { state }: RestoreParts,
  { clusterId, marks, markerTime, applied }: Contents,
  { ip, redis }: ServerReport,
): string[] {
  const { desired } = state
  const ours = desired?.formed ? desired.clusterId : redis!.clusterId
  const servers = desired?.formed ? desired.order : [ip]
  const whose = clusterId === ours ? '' : `, of ${clusterId === '' ? 'a single server' : 'another cluster'}`
  return [
    `It is whole: the state of ${ago(Date.now() - markerTime)} ago, with ${marks.size} agents and ${applied} batches${whose}.`,
    `It takes the place of what is stored, which has ${redis!.applied} batches and is put aside in var/lib/cts/archive on ${servers.join(', ')}.`,
    'Agents wait for that, send what they still hold, and then their whole state; what they hold no more is noted as a gap.',
    'The servers, their roles and their history, and the settings of the notifier stay as they are.',
  ]
}

interface Bringing {
  readonly backup: Redis
  readonly contents: Contents
  readonly master: ServerReport
  readonly id: string
  readonly name: string
}

/** Stages the backup on the master, and asks for its restore. */
async function bring(parts: RestoreParts, bringing: Bringing, say: Say): Promise<void> {
  const { backup, contents, master, id, name } = bringing
  const { address, controller, state, self } = parts
  const formed = state.desired?.formed === true
  const { admin: password, prefix: ownPrefix } = controller.secrets
  const to = await connect({
    host: master.ip === self ? (address ?? '127.0.0.1') : master.ip,
    port: REDIS_PORT,
    login: { username: ADMIN, password },
    ...(address === undefined ? {} : { localAddress: address }),
    commandMs: ANSWER_MS,
  })
  try {
    expectMemory(await memoryOf(backup), await memoryOf(to), master.ip)
    const { prefix } = contents
    const keys = await stage({ from: backup, prefix, master: to, ownPrefix, id, replicas: formed })
    say(`  ${keys} keys are brought to ${master.ip}`)
  } finally {
    to.disconnect()
  }
  const { order, generation } = state.desired?.formed ? state.desired : { order: [master.ip], generation: 0 }
  state.propose({ id, order, base: generation, at: Date.now(), restore: name })
  controller.hurry()
}

interface Memory {
  readonly used: number
  readonly most: number
}

async function memoryOf(redis: Redis): Promise<Memory> {
  const info = await redis.info('memory')
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
  return { used: field('used_memory'), most: field('maxmemory') }
}

/** Both states are in memory for a moment, so that there is never none. */
function expectMemory(backup: Memory, store: Memory, ip: string): void {
  const needed = store.used + backup.used
  if (store.most === 0 || needed < FULL * store.most) return
  throw new Error(
    `The store of ${ip} may take ${amount(store.most, 'B')} of memory, and what it holds and the backup take ${amount(needed, 'B')} together`,
  )
}

async function followRestore(parts: RestoreParts, id: string, name: string, say: Say): Promise<number> {
  const { controller } = parts
  const told = new Set<string>()
  for (const end = performance.now() + FOLLOW_MS; performance.now() < end; ) {
    const outcome = controller.outcome(id)
    if (outcome) {
      say(`${outcome}.`)
      return 1
    }
    const { reports } = await look(parts)
    if (outcome === '') return arrived(parts, id, name, say)
    const master = reports.find(({ redis }) => redis?.role === 'master')
    const line = `  ${master?.ip}: ${master?.doing}`
    if (/put aside|agents wait|takes the place/.test(line) && !told.has(line)) say(line)
    told.add(line)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  say(`It is not done yet: ${controller.problem ?? controller.decision.why}.`)
  say('It goes on by itself; look with: netq config ts show backups')
  return 1
}

/** Waits until every server that answers has it, and says who has not. */
async function arrived(parts: RestoreParts, id: string, name: string, say: Say): Promise<number> {
  const order = parts.state.desired?.formed ? parts.state.desired.order : [parts.self]
  let missing: readonly string[] = order
  for (const end = performance.now() + ARRIVE_MS; missing.length > 0 && performance.now() < end; ) {
    const { reports } = await look(parts)
    missing = order.filter((ip) => reports.find((r) => r.ip === ip)?.redis?.restored?.id !== id)
    if (missing.length > 0) await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  const have = order.filter((ip) => !missing.includes(ip))
  say(`${name} is restored: ${have.join(', ')} ${have.length > 1 ? 'have' : 'has'} it.`)
  if (missing.length > 0) say(`${missing.join(' and ')} will have it when in touch with the master again.`)
  return 0
}
