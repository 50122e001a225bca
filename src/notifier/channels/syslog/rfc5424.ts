import type { Notification, Severity } from '../../types.ts'
import { messageOf, microseconds, PROGRAM } from './line.ts'

/** Facility 3, system daemons. */
const facility = 3
const levels: Record<Severity, number> = { CRITICAL: 2, ERROR: 3, WARNING: 4, INFO: 6 }

/**
 * One message of RFC 5424. The structured data has what a collector would otherwise have to find in the text; 32473 is the
 * enterprise number for examples (RFC 5612), as this project has none. The same event always has the same `id`.
 */
export function syslogMessage(notification: Notification, server: string, pid: number): Buffer {
  const { event, filter } = notification
  const header = [
    `<${facility * 8 + (levels[event.severity] ?? 6)}>1`,
    `${microseconds(event.time)}Z`,
    word(server, 255),
    PROGRAM,
    pid,
    word(event.type, 32),
  ].join(' ')
  const data = { id: event.id, type: event.type, severity: event.severity, host: event.hostname, filter }
  const pairs = Object.entries(data).map(([name, value]) => `${name}="${escaped(value)}"`)
  // The mark of UTF-8 is what the standard asks for before such a text.
  return Buffer.from(`${header} [netq@32473 ${pairs.join(' ')}] \ufeff${messageOf(notification)}`)
}

/** A field of the header: printable ASCII without spaces, `-` if there is nothing. */
function word(text: string, most: number): string {
  return text.replace(/[^\x21-\x7e]/g, '_').slice(0, most) || '-'
}

const escaped = (text: string) => text.replace(/["\\\]]/g, '\\$&').replace(/[\0-\x1f\x7f]/g, ' ')
