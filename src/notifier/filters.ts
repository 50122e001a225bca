import { isSevereEnough } from './channels/index.ts'
import type { Filter, NotifierSettings } from './config.ts'
import { matchesWhole } from './patterns.ts'
import type { Rule, RuleKey } from './schema.ts'
import { type Event, SEVERITIES, type Severity } from './types.ts'

/** That an event goes to a receiver, and the name of the (first) filter that sends it there. */
export interface Route {
  readonly filter: string
  /** A silence keeps it from going there. */
  readonly silenced?: true
}

/**
 * Where an event goes, by the names of the receivers: to the outputs of every filter that it matches, asked in their
 * order, up to the first that ends it (`terminate_on_match`, which is True unless the file says False). One that matches
 * no filter goes nowhere.
 *
 * A rule's values are regular expressions in RE2's syntax, which is Python's without look-around and back-references. One
 * matches only if it matches the *whole* value, in the same case: `hostname: leaf-01` is not leaf-011, and `leaf-.*` is
 * what NetQ's documents write for "begins with". `(?i)` at its beginning ignores case. As in NetQ, the bare name of a
 * severity, in capitals or not, means it or worse; `(WARNING)` means just it.
 *
 * `None` sends nowhere, an empty output to syslog only, a list to those and syslog, `ALL` to all and syslog. An
 * integration gets nothing below its own `severity` (but the ends of troubles, if it keeps incidents). Silences are judged by the time of the event, so that it does not
 * matter when, or by which server, they are asked. Never throws, whatever the event.
 */
export function routesOf(event: Event, settings: NotifierSettings): ReadonlyMap<string, Route> {
  const route = silenceOf(event, settings) === undefined ? {} : ({ silenced: true } as const)
  const routes = new Map<string, Route>()
  for (const filter of settings.filters) {
    if (misses(filter.rule, event).length > 0) continue
    for (const name of namesOf(filter, settings)) {
      if (routes.has(name) || missedSeverity(event, name, settings)) continue
      routes.set(name, { filter: filter.name, ...route })
    }
    if (filter.terminateOnMatch) break
  }
  return routes
}

/** The name of the silence that an event falls under. */
function silenceOf(event: Event, { silences }: NotifierSettings): string | undefined {
  return silences.find(({ rule, until }) => event.time < until && misses(rule, event).length === 0)?.name
}

/** What `routesOf` decides and why, a line each, for `netq config ts show notifier explain`. */
export function explain(event: Event, settings: NotifierSettings): string[] {
  const names = [...routesOf(event, settings).keys()]
  const silence = silenceOf(event, settings)
  const lines = [
    `Event: ${event.type} on ${event.hostname || 'no host'}, ${event.severity}: ${event.message}`,
    ...explainFilters(event, settings),
  ]
  const where = names.length === 0 ? 'nowhere' : names.join(', ')
  if (silence === undefined) return [...lines, `Sent to: ${where}`]
  return [...lines, `Sent to: nowhere, because of the silence ${silence} (without it: ${where})`]
}

function explainFilters(event: Event, settings: NotifierSettings): string[] {
  const lines: string[] = []
  let ended: string | undefined
  let matched = false
  for (const filter of settings.filters) {
    if (ended !== undefined) {
      lines.push(`Filter ${filter.name}: not asked, as ${ended} ended it`)
      continue
    }
    const [miss] = misses(filter.rule, event)
    if (miss !== undefined) {
      lines.push(`Filter ${filter.name}: does not match, as ${miss}`)
      continue
    }
    matched = true
    if (filter.terminateOnMatch) ended = filter.name
    lines.push(`Filter ${filter.name}: matches ${reason(filter.rule)}, ${outputText(filter)}`)
    for (const name of namesOf(filter, settings)) {
      const least = missedSeverity(event, name, settings)
      if (least) lines.push(`  not to ${name}: ${event.severity} is below its severity ${least}`)
    }
  }
  if (!matched) lines.push('No filter matches')
  return lines
}

const reason = (rule: Rule) => {
  const keys = Object.keys(rule)
  return keys.length === 0 ? '(its rule is empty)' : `(${keys.join(', ')})`
}

function outputText({ output, terminateOnMatch }: Filter): string {
  const on = terminateOnMatch ? '' : '; the next filter is asked too'
  if (typeof output === 'string') return `output ${output}${on}`
  return `${output.length === 0 ? 'no output: syslog only' : `output ${output.join(', ')}`}${on}`
}

/** The names of the receivers that a filter sends to. */
function namesOf({ output }: Filter, { integrations, syslogServer }: NotifierSettings): string[] {
  if (output === 'None') return []
  const always = syslogServer ? ['syslog', 'syslog-server'] : ['syslog']
  const listed = output === 'ALL' ? integrations.map(({ name }) => name) : output
  return [...always, ...listed.filter((name) => !always.includes(name))]
}

/** The severity of the receiver, if the event does not reach it. */
function missedSeverity(
  event: Event,
  name: string,
  { integrations }: NotifierSettings,
): Severity | undefined {
  const to = integrations.find((one) => one.name === name)
  return to && !isSevereEnough(event, to) ? to.severity : undefined
}

/** Why a rule does not match: a reason for each of its keys that does not. */
function misses(rule: Rule, event: Event): string[] {
  return (Object.entries(rule) as [RuleKey, string][]).flatMap(([key, wanted]) => {
    const value = fieldOf(event, key)
    if (key === 'severity') {
      const least = SEVERITIES.indexOf(wanted.toUpperCase() as Severity)
      if (least >= 0) {
        return SEVERITIES.indexOf(event.severity) >= least ? [] : [`severity ${value} is below ${wanted}`]
      }
    }
    return matchesWhole(wanted, value) ? [] : [`${key} ${JSON.stringify(value)} is not ${wanted}`]
  })
}

function fieldOf(event: Event, key: RuleKey): string {
  if (key !== 'ifname') return String(event[key])
  // What is left of `Link leaf01 swp5` after the type and the host.
  const before = `${event.type} ${event.hostname} `
  return event.subject.startsWith(before) ? event.subject.slice(before.length) : ''
}
