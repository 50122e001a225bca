import { ago } from '../text/duration.ts'
import { textTable } from '../text/table.ts'
import { receiversOf, shownOf } from './channels/index.ts'
import type { NotifierSettings, Rule } from './config.ts'
import type { LaneStatus } from './lane.ts'
import type { NotifierStatus } from './status.ts'

export interface NotifierShown {
  readonly running: boolean
  readonly status: NotifierStatus | undefined
  readonly settings: NotifierSettings
}

/** `netq config ts show notifier json`: what may be shown to everybody. */
export function withoutSecrets({ settings, ...rest }: NotifierShown): object {
  return { ...rest, settings: { ...settings, integrations: settings.integrations.map(shownOf) } }
}

/** `netq config ts show notifier`. */
export function settingsText(
  { running, status, settings }: NotifierShown,
  logFile: string,
  now: number,
): string {
  const { filters, silences, logLevel } = settings
  const doing = !running
    ? 'netq-notifier is not running on this server. To start it: netq config ts start notifier'
    : status?.sends
      ? 'netq-notifier is running; this server is the master and sends.'
      : 'netq-notifier is running; the master sends, this server would if it became the master.'
  const receivers = receiversOf(settings).map((receiver) => {
    const shown: Record<string, string> =
      receiver.type === 'syslog'
        ? { file: logFile }
        : receiver.type === 'syslog-server'
          ? { server: JSON.stringify(receiver.server) }
          : shownOf(receiver)
    const { name, type, severity, ...rest } = shown
    const details = Object.entries(rest).map(([key, value]) => `${key}: ${value}`)
    const lane = status?.sends ? laneText(status.lanes[receiver.name], now) : '-'
    return [name ?? receiver.name, type ?? receiver.type, severity ?? '-', details.join(', '), lane]
  })
  const parts = [
    `${doing}\nLog level: ${logLevel}\n`,
    ...(status?.mistakes ?? []).map((mistake) => `${mistake}\n`),
    `\n${textTable(['Integration', 'Type', 'Severity', 'Details', 'Status'], receivers)}`,
    `\n${textTable(
      ['Filter', 'Rule', 'Output'],
      filters.map(({ name, rule, output, terminateOnMatch }) => [
        name,
        ruleText(rule),
        `${typeof output === 'string' ? output : output.join(', ') || 'syslog only'}${terminateOnMatch ? '' : ', and on'}`,
      ]),
    )}`,
  ]
  const active = silences.filter(({ until }) => until > now)
  if (active.length > 0) {
    const rows = active.map(({ name, rule, until }) => [name, ruleText(rule), ago(until - now)])
    parts.push(`\n${textTable(['Silence', 'Rule', 'Ends In'], rows)}`)
  }
  return parts.join('')
}

function laneText(lane: LaneStatus | undefined, now: number): string {
  if (!lane) return '-'
  if (lane.trouble) return `not taken for ${ago(now - lane.trouble.since)}: ${lane.trouble.problem}`
  const { refused } = lane
  if (refused && (lane.lastSent ?? 0) <= refused.time)
    return `the last one refused ${ago(now - refused.time)} ago: ${refused.problem}`
  return lane.lastSent === undefined ? 'ok' : `ok, last sent ${ago(now - lane.lastSent)} ago`
}

function ruleText(rule: Rule): string {
  const parts = Object.entries(rule).map(([key, value]) => `${key}: ${value}`)
  return parts.join(', ') || '(everything)'
}
