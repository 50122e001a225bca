import type { Notification } from '../../types.ts'
import { isoTime } from '../words.ts'

/** The name that the notifier has in every syslog. */
export const PROGRAM = 'netq-notifier'

/**
 * A line of the notifier's log: `2017-08-28T22:43:32.794669+00:00 ts01 netq-notifier[13232]: INFO: filter#default: BGP: ...`.
 * The time is the event's own, so that a line is the same from whichever server and whenever it is written.
 */
export function logLine(notification: Notification, server: string, pid: number): string {
  const time = `${microseconds(notification.event.time)}+00:00`
  return `${time} ${server} ${PROGRAM}[${pid}]: ${messageOf(notification)}\n`
}

/** `INFO: filter#default: BGP: ...` */
export function messageOf({ event, filter }: Notification): string {
  return `${event.severity}: filter#${printable(filter)}: ${printable(event.message)}`
}

/** `2017-08-28T22:43:32.794669`, UTC, of milliseconds since the epoch. */
export function microseconds(time: number): string {
  // Rounded, as no fraction of a time of today is exact: .669 is kept as .66894.
  const fraction = Math.min(999, Math.round((time - Math.floor(time)) * 1000)) || 0
  return `${isoTime(Math.floor(time)).slice(0, -1)}${String(fraction).padStart(3, '0')}`
}

/** Control characters as rsyslog writes them (`#012` is a line end): nobody forges a line with a name. */
function printable(text: string): string {
  return text.replace(/[\0-\x1f\x7f]/g, (one) => `#${one.charCodeAt(0).toString(8).padStart(3, '0')}`)
}
