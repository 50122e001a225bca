import type { Event, Notification, Severity } from '../types.ts'
import { SEVERITIES } from '../types.ts'

/** `2017-08-28T22:43:32Z`, UTC */
export function timeOf({ time }: Event): string {
  return isoTime(time).replace(/\.\d+Z$/, 'Z')
}

/** ISO 8601 in UTC with milliseconds. A time that no calendar has is told as the epoch rather than not at all. */
export function isoTime(time: number): string {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? new Date(0).toISOString() : date.toISOString()
}

/** On one line, whatever a switch wrote into its names. */
export function oneLine(text: string): string {
  return text.replace(/[\0-\x1f\x7f\u2028\u2029]+/g, ' ')
}

/** At most so many UTF-16 units, without half a character at the end; what was cut off is told by `...`. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text
  return `${text.slice(0, most - 3).replace(/[\ud800-\udbff]$/, '')}...`
}

/** `2 CRITICAL, 35 INFO`: the worst first. */
export function severities(notifications: readonly Notification[]): string {
  const counts = Map.groupBy(notifications, ({ event }) => event.severity)
  return [...SEVERITIES]
    .reverse()
    .flatMap((severity) => {
      const some = counts.get(severity)
      return some ? [`${some.length} ${severity}`] : []
    })
    .join(', ')
}

/** `30 Link, 7 BgpSession`: the most frequent first. */
export function types(notifications: readonly Notification[]): string {
  const counts = Map.groupBy(notifications, ({ event }) => event.type)
  return [...counts]
    .sort(([a, some], [b, others]) => others.length - some.length || (a < b ? -1 : 1))
    .map(([type, some]) => `${some.length} ${oneLine(type)}`)
    .join(', ')
}

export function worst(notifications: readonly Notification[]): Severity {
  const ranks = notifications.map(({ event }) => SEVERITIES.indexOf(event.severity))
  return SEVERITIES[ranks.reduce((a, b) => Math.max(a, b), 0)] ?? 'INFO'
}
