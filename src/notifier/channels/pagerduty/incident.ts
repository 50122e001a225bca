import { createHash } from 'node:crypto'
import type { Notification } from '../../types.ts'
import { cut, isoTime, oneLine, severities, types, worst } from '../words.ts'

/** PagerDuty takes 512 KB an event; what is around the list of a burst's events is less than the difference. */
const mostBytes = 500 * 1024

/** The event of the API for one notification, without its routing key. */
export function incidentOf({ event, filter }: Notification) {
  const about = { dedup_key: keyFor(event.subject) }
  if (event.recovers) return { event_action: 'resolve', ...about }
  return {
    event_action: 'trigger',
    ...about,
    payload: {
      summary: summaryOf(event.message),
      source: event.hostname || 'netq',
      severity: event.severity.toLowerCase(),
      timestamp: isoTime(event.time),
      class: event.type,
      component: event.subject,
      custom_details: { id: event.id, filter, message: messageOf(event.message) },
    },
  }
}

/**
 * One event of the API for many notifications, with the ids and messages of all that fit into it.
 * @returns `count`: how many are in it, from the first
 */
export function burstOf(notifications: readonly Notification[], server: string) {
  const events: string[] = []
  let bytes = 0
  for (const { event } of notifications) {
    const line = `${event.id} ${isoTime(event.time)} ${event.severity} ${messageOf(event.message)}`
    bytes += Buffer.byteLength(JSON.stringify(line)) + 1
    if (bytes > mostBytes) break
    events.push(line)
  }
  const some = notifications.slice(0, events.length)
  const incident = {
    event_action: 'trigger',
    dedup_key: keyFor(`netq burst ${some[0]?.event.id}`),
    payload: {
      summary: summaryOf(`${some.length} events: ${severities(some)} (${types(some)})`),
      source: server,
      severity: worst(some).toLowerCase(),
      timestamp: isoTime(some[0]?.event.time ?? 0),
      class: 'burst',
      custom_details: { events },
    },
  }
  return { incident, count: some.length }
}

/** PagerDuty takes keys of up to 255 characters; a longer one is told by its hash. */
function keyFor(subject: string): string {
  return subject.length <= 255 ? subject : `sha256 ${createHash('sha256').update(subject).digest('hex')}`
}

/** PagerDuty takes up to 1,024 characters. */
const summaryOf = (message: string) => cut(oneLine(message), 1024) || 'an event without a message'

const messageOf = (message: string) => cut(message, 10_000)
