import type { ClusterView } from '../api/types.ts'
import { happeningOfCluster } from './happenings.ts'
import { CLUSTER } from './observer.ts'
import type { Event } from './types.ts'

/** Since when nothing could be written, ms since the epoch, and why. */
export interface Stop {
  readonly since: number
  readonly reason: string
}

/** How long a trouble must last before it is told, in milliseconds: a failover is over sooner. */
const PATIENCE_MS = 8000

/**
 * The one trouble that cannot go through the store: that the store takes no writes. The master tells of it when nothing
 * confirms its writes; any other server when no server is the master. It is told at once, by this server, once; the id
 * is made from the last mark of the master, so that servers and restarts tell of the same stop under the same id.
 */
export class Alarm {
  /** The stop that was told, and whose end is to be told. */
  told: Stop | undefined
  private since: number | undefined

  /** @param told by an earlier life of this process */
  constructor(told?: Stop) {
    this.told = told
  }

  /**
   * @param reason why nothing can be written, or undefined if it can
   * @param lastMark when the master last proved that it can be written to, ms since the epoch
   * @returns an event to be told at once, if there is one
   */
  judge(reason: string | undefined, lastMark: number, now: number): Event | undefined {
    if (reason === undefined) {
      const { told } = this
      this.since = undefined
      this.told = undefined
      return (
        told &&
        writesEvent({ taken: false, ...told }, { taken: true, reason: null, since: now }, told.since, now)
      )
    }
    this.since ??= now
    if (this.told || now - this.since < PATIENCE_MS) return undefined
    const since = lastMark > 0 ? lastMark : this.since
    this.told = { since, reason }
    return writesEvent({ taken: true, reason: null, since: 0 }, { taken: false, reason, since }, since, now)
  }
}

/** The server that is the master and, as this view has it, answers. */
export function answeringMaster({ servers }: ClusterView): ClusterView['servers'][number] | undefined {
  return servers.find(({ role, status }) => role === 'master' && !/^(unreachable|Redis )/.test(status))
}

/** Why no write is possible as this view has it; undefined if some server is a master that takes them. */
export function whyNoWrites(view: ClusterView): string | undefined {
  if (!view.formed) return undefined
  const master = answeringMaster(view)
  if (!master) return 'no server is the master, or it does not answer'
  return /^no writes/.test(master.status) ? `${master.server}: ${master.status}` : undefined
}

type Writes = { readonly taken: boolean; readonly reason: string | null; readonly since: number }

function writesEvent(before: Writes, after: Writes, since: number, now: number): Event {
  const change = { hostname: CLUSTER, key: 'writes', before, after }
  const { type, severity, message, about, recovers } = happeningOfCluster(change)!
  return {
    id: `writes-${since}${after.taken ? '-end' : ''}`,
    time: now,
    hostname: CLUSTER,
    type,
    severity,
    message,
    subject: `${type} ${CLUSTER} ${about}`,
    recovers: recovers === true,
  }
}
