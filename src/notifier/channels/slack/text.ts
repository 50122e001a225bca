import type { Notification } from '../../types.ts'
import { cut, oneLine, severities, timeOf, types } from '../words.ts'

const mostLines = 20
/** Slack cuts a text off after 40,000 characters. */
const mostCharacters = 39_000

/**
 * The text of one message: a line an event with its id, which is the same if it is ever sent again. More than 20 events
 * begin with their counts, and end with how many did not fit.
 */
export function slackText(notifications: readonly Notification[], tag: string | undefined): string {
  const lines = notifications.map(lineOf)
  const end = tag === undefined ? [] : [tag]
  if (lines.length <= mostLines) return [...lines, ...end].join('\n')
  const head = `*${lines.length} events*: ${severities(notifications)} (${escaped(cut(types(notifications), 1000))})`
  let room = mostCharacters - head.length - 200 - (tag?.length ?? 0)
  const fitting: string[] = []
  for (const line of lines) {
    room -= line.length + 1
    if (room < 0) break
    fitting.push(line)
  }
  const missing = notifications.slice(fitting.length)
  if (missing.length === 0) return [head, ...fitting, ...end].join('\n')
  const last = missing.at(-1)?.event.id ?? ''
  const more = `... and ${missing.length} more, up to [${escaped(last)}]: the log of the notifier has them all`
  return [head, ...fitting, more, ...end].join('\n')
}

function lineOf({ event }: Notification): string {
  const message = escaped(oneLine(cut(event.message, 1000)))
  return `${timeOf(event)} *${event.severity}* ${message} [${escaped(event.id)}]`
}

/** The three characters that Slack asks to be written so; a message can then neither link nor call anyone. */
const escaped = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
