import { changed, clipped, teller, told } from '../tables/changes.ts'
import type { Change, Happening, Row } from '../tables/table.ts'
import { ago } from '../text/duration.ts'

/*
 * What it means when the servers write of the agents and of themselves, in two tables that no agent collects. Only a
 * change from something known is told, but for the master. Pure; rows may have fields missing or of wrong types.
 */

export interface KeyedChange extends Change {
  /** The row's key in the store; the row need not repeat it. */
  readonly key: string
}

/** A change of an agent's row {status: 'Fresh' | 'Rotten' | 'Waiting', reason}; its key is the agent's host name. */
export function happeningOfAgent(change: KeyedChange): Happening | undefined {
  const name = clipped(change.key)
  const tell = teller('Agent', `AGENT: ${name}`, name)
  const was = told(change.before, 'status')
  if (was !== undefined && !change.after)
    return tell('INFO', `is not watched any more; it was ${was}`, was === 'Rotten')
  const status = changed(change, 'status')
  if (!status) return undefined
  const reason = told(change.after, 'reason')
  const what = `status changed from ${status.from} to ${status.to}${reason ? `: ${reason}` : ''}`
  if (status.to === 'Fresh') return tell('INFO', what, true)
  if (status.to === 'Rotten') return tell('ERROR', `${what}; what is shown of this host is from before`)
  return tell('INFO', `${what}; nothing is wrong with the agent as far as is known`)
}

/**
 * A change of one of the cluster's rows.
 *
 * | key | row |
 * |---|---|
 * | `master` | {master, why, gapMs: milliseconds without a write, or null} |
 * | `server <ip>` | {status: as `show server` has it, role} |
 * | `writes` | {taken: boolean, reason, since: ms since the epoch} |
 * | `memory <ip>`, `disk <ip>` | {state: 'ok' or 'low', detail} |
 */
export function happeningOfCluster(change: KeyedChange): Happening | undefined {
  const key = clipped(change.key)
  const [kind = '', ip = ''] = key.split(' ')
  const tell = () => {
    switch (kind) {
      case 'master':
        return masterTold(change)
      case 'server':
        return serverTold(ip, change)
      case 'writes':
        return writesTold(change)
      case 'memory':
      case 'disk':
        return roomTold(kind, ip, change)
      default:
        return undefined
    }
  }
  const what = tell()
  if (!what) return undefined
  return teller('Cluster', 'CLUSTER', key)(what.severity, what.text, what.recovers)
}

interface Told {
  readonly severity: Happening['severity']
  readonly text: string
  readonly recovers?: boolean
}

/** The `why` of a change that an operator asked for (cluster/act.ts has them all). */
const PLANNED = 'switchover'

function masterTold(change: Change): Told | undefined {
  const { before, after } = change
  const to = told(after, 'master')
  if (to === undefined) return undefined
  const from = told(before, 'master')
  const why = told(after, 'why')
  // The gap is known a little after the change: that alone is no news.
  if (from === to && (why === undefined || why === told(before, 'why'))) return undefined
  const gap = after?.gapMs
  const lost = typeof gap === 'number' && gap >= 0 ? `; no write was taken for ${Math.round(gap)} ms` : ''
  const because = why ? ` (${why})` : ''
  if (from === undefined) return { severity: 'INFO', text: `${to} is the master${because}` }
  if (why === PLANNED)
    return { severity: 'INFO', text: `switchover: the master changed from ${from} to ${to}${lost}` }
  const kept = 'agents send again what was not acknowledged'
  const ask = why?.startsWith('failover') ? `; see why ${from} was lost` : ''
  if (from === to) return { severity: 'WARNING', text: `${to} is the master again${because}${lost}; ${kept}` }
  return {
    severity: 'WARNING',
    text: `the master changed from ${from} to ${to}${because}${lost}; ${kept}${ask}`,
  }
}

/** Of a server that is on its way: it needs time, not a person. The others need a person. */
const onItsWay = /^(loading|starting|waiting|syncing|tilt|stale|not configured)\b/

/** 0: as it should be; 1: on its way; 2: a person is needed; undefined: nothing is known. */
function gradeOf(status: string | undefined): 0 | 1 | 2 | undefined {
  if (status === undefined || status === 'unknown') return undefined
  if (status === 'ok') return 0
  return onItsWay.test(status) ? 1 : 2
}

function serverTold(ip: string, { before, after }: Change): Told | undefined {
  const from = told(before, 'status')
  const to = told(after, 'status')
  const [was, is] = [gradeOf(from), gradeOf(to)]
  if (was === undefined) return undefined
  const role = told(after ?? before, 'role') ?? 'unknown'
  const server = `${role === 'unknown' ? 'server' : role} ${ip}`
  if (!after)
    return { severity: 'INFO', text: `${server} left the cluster; it was ${from}`, recovers: was > 0 }
  if (is === 0) {
    return was === 0
      ? undefined
      : { severity: 'INFO', text: `${server}: status changed from ${from} to ok`, recovers: true }
  }
  // How it is in trouble may change many times, as a percentage does: told is what makes it worse.
  if (is === undefined || is <= was) return undefined
  const text = `${server}: status changed from ${from} to ${to}`
  if (is === 1) return { severity: 'WARNING', text }
  if (to === 'no quorum')
    return {
      severity: 'CRITICAL',
      text: `${text}: its Sentinel reaches no majority, so a lost master may not be replaced until it does`,
    }
  return { severity: 'ERROR', text: `${text}; ${meaningOf(told(before, 'role'))}` }
}

/** What the loss of a server means, by the role that it had: no more than follows from it. */
function meaningOf(role: string | undefined): string {
  if (role === 'master')
    return 'a replica takes over if two servers are left, and agents keep their data until then'
  return 'one copy less is kept current, and writes go on only while a replica is left'
}

function writesTold({ before, after }: Change): Told | undefined {
  if (typeof before?.taken !== 'boolean' || typeof after?.taken !== 'boolean' || before.taken === after.taken)
    return undefined
  const reason = told(after, 'reason')
  if (!after.taken) {
    const because = reason ? `: ${reason}` : ''
    return {
      severity: 'CRITICAL',
      text: `writes have stopped${because}; agents keep their data and send it when writes are taken again`,
    }
  }
  const stopped = lengthOf(before, after)
  return {
    severity: 'INFO',
    text: `writes are taken again${stopped ? ` after ${stopped} without` : ''}; agents send what they kept`,
    recovers: true,
  }
}

/** From the beginning of one state to that of the next, as `1m:5s`. */
function lengthOf(before: Row, after: Row): string | undefined {
  const [begin, end] = [before.since, after.since]
  if (typeof begin !== 'number' || typeof end !== 'number' || begin <= 0 || end < begin) return undefined
  return end - begin < 1000 ? `${Math.round(end - begin)} ms` : ago(end - begin)
}

const shortOf = {
  memory: 'when it is full, no write is taken; until then only the history is shortened',
  disk: 'when it is full, no write is taken: free some, or add to it',
}

function roomTold(kind: 'memory' | 'disk', ip: string, change: Change): Told | undefined {
  const state = changed(change, 'state')
  if (!state) return undefined
  const detail = told(change.after, 'detail')
  const text = `server ${ip}: ${kind} changed from ${state.from} to ${state.to}${detail ? ` (${detail})` : ''}`
  if (state.to === 'ok') return { severity: 'INFO', text, recovers: true }
  return { severity: kind === 'disk' ? 'ERROR' : 'WARNING', text: `${text}; ${shortOf[kind]}` }
}
