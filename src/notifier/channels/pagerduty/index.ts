import type { Notification, Sent } from '../../types.ts'
import { Batches, type Delivery } from '../batches.ts'
import { httpUrl, integration, text } from '../fields.ts'
import { post } from '../http.ts'
import { kind } from '../kind.ts'
import { burstOf, incidentOf } from './incident.ts'

/** PagerDuty answers 429 to about this many events a second: more than that are told as one incident. */
const mostSingle = 50

/**
 * PagerDuty's Events API v2. An event opens an incident for its subject, or closes it if it is the end of the trouble.
 *
 * More than 50 that are pending become one incident with all of them. What closed in a burst is closed first, one subject
 * at a time, as an incident from before the burst may be open for it; the burst's own incident comes last, so that a
 * repeat after a failure never opens a second one (its key is the first event's id, which stays the first one pending).
 */
export const pagerduty = kind({
  type: 'pagerduty',
  keepsOpen: true,
  secrets: ['api_access_key', 'api_integration_key'],
  schema: (zod) =>
    integration(zod, 'pagerduty', {
      /** The routing key: which service the incidents are for. */
      api_integration_key: text(zod, 'api_integration_key'),
      /** In files from NetQ. Version 2 of the API asks for the integration key alone, so it is kept and never sent. */
      api_access_key: text(zod, 'api_access_key').optional(),
      url: httpUrl(zod, 'url').default('https://events.pagerduty.com/v2/enqueue'),
    }),
  make({ api_integration_key: key, url }, { server, timeoutMs }) {
    const enqueue = (incident: object, signal: AbortSignal): Promise<Delivery> =>
      post({ url, body: JSON.stringify({ routing_key: key, ...incident }), signal, timeoutMs })
    return new PagerDuty(server, enqueue)
  },
})

type Enqueue = (incident: object, signal: AbortSignal) => Promise<Delivery>

class PagerDuty {
  private readonly server: string
  private readonly enqueue: Enqueue
  private readonly singles = new Batches(1)
  private readonly bursts = new Batches(500)
  /** Ids of the ends that were sent of a burst that is not taken yet: without them 429 would make it begin anew for ever. */
  private readonly closed = new Set<string>()

  constructor(server: string, enqueue: Enqueue) {
    this.server = server
    this.enqueue = enqueue
  }

  send(notifications: readonly Notification[], signal: AbortSignal): Promise<Sent> {
    if (notifications.length <= mostSingle) {
      return this.singles.send(notifications, ([one]) => this.single(one!, signal))
    }
    return this.bursts.send(notifications, (some) =>
      some.length === 1 ? this.single(some[0]!, signal) : this.burst(some, signal),
    )
  }

  async close(): Promise<void> {}

  private single(notification: Notification, signal: AbortSignal): Promise<Delivery> {
    return this.enqueue(incidentOf(notification), signal)
  }

  private async burst(some: readonly Notification[], signal: AbortSignal): Promise<Delivery> {
    const { incident, count } = burstOf(some, this.server)
    const those = some.slice(0, count)
    const opens = those.some(({ event }) => !event.recovers)
    for (const end of endsIn(those)) {
      if (this.closed.has(end.event.id)) continue
      const delivery = await this.single(end, signal)
      if (delivery.outcome === 'later') return delivery
      // Otherwise it is in the burst's incident all the same.
      if (delivery.outcome === 'refused' && !opens) return delivery
      this.closed.add(end.event.id)
    }
    // Nobody is to be woken by ends alone.
    const delivery = opens ? await this.enqueue(incident, signal) : ({ outcome: 'taken' } as const)
    if (delivery.outcome !== 'taken') return delivery
    this.closed.clear()
    return { outcome: 'taken', count }
  }
}

/** The last event of every subject whose trouble is over at the end of the burst. */
function endsIn(notifications: readonly Notification[]): Notification[] {
  const last = new Map(notifications.map((notification) => [notification.event.subject, notification]))
  return [...last.values()].filter(({ event }) => event.recovers)
}
