import type { NotifierEdit, NotifierExplain, NotifierService, NotifierTest } from '../api/types.ts'
import type { Arguments } from '../tables/table.ts'
import { parseSpan } from '../text/duration.ts'
import type { Command } from './command.ts'

const text = (args: Arguments, name: string): string => String(args[name] ?? '')
const given = (args: Arguments, name: string): string | undefined =>
  typeof args[name] === 'string' ? args[name] : undefined

/** A command that changes the settings of the notifier on all servers. */
function edits(usage: string, summary: string, edit: (args: Arguments) => NotifierEdit): Command {
  return {
    usage,
    summary,
    where: 'cts-auth',
    changes: true,
    request: (args) => ({ path: '/v1/notifier/edit', body: edit(args) }),
  }
}

/** The keys of an integration that were given: netq.yml's name -> the value. */
function keysOf(args: Arguments, names: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(names).flatMap(([key, argument]) => {
      const value = given(args, argument)
      return value === undefined ? [] : [[key, value]]
    }),
  )
}

const severity = '[severity <severity>]'

export const notifierCommands: readonly Command[] = [
  edits(
    `config ts add notifier slack <name> webhook <url> ${severity} [tag <tag>]`,
    'Tell a Slack channel, by its incoming webhook',
    (args) => ({
      do: 'add-integration',
      type: 'slack',
      name: text(args, 'name'),
      keys: keysOf(args, { webhook: 'url', severity: 'severity', tag: 'tag' }),
    }),
  ),
  edits(
    `config ts add notifier pagerduty <name> api-access-key <access-key> api-integration-key <integration-key> ${severity}`,
    'Tell PagerDuty (Events API v2)',
    (args) => ({
      do: 'add-integration',
      type: 'pagerduty',
      name: text(args, 'name'),
      keys: keysOf(args, {
        severity: 'severity',
        api_access_key: 'access-key',
        api_integration_key: 'integration-key',
      }),
    }),
  ),
  edits(
    `config ts add notifier webhook <name> url <url> secret <secret> ${severity}`,
    'Tell a program by a signed HTTP request',
    (args) => ({
      do: 'add-integration',
      type: 'webhook',
      name: text(args, 'name'),
      keys: keysOf(args, { url: 'url', secret: 'secret', severity: 'severity' }),
    }),
  ),
  edits(
    `config ts add notifier email <name> server <mail-server> from <sender> to <receiver>... ${severity}`,
    'Tell people by e-mail',
    (args) => ({
      do: 'add-integration',
      type: 'email',
      name: text(args, 'name'),
      keys: {
        ...keysOf(args, { server: 'mail-server', from: 'sender', severity: 'severity' }),
        to: text(args, 'receiver').split(' '),
      },
    }),
  ),
  edits(
    'config ts add notifier filter <name> [(before <anchor>|after <anchor>)] [rule <key> <value>] [output <integration>]',
    'Choose by regular expressions which events go where; the first filter that fits decides',
    (args) => {
      const key = given(args, 'key')
      const output = given(args, 'integration')
      return {
        do: 'add-filter',
        name: text(args, 'name'),
        ...(args.before ? { before: text(args, 'anchor') } : {}),
        ...(args.after ? { after: text(args, 'anchor') } : {}),
        ...(key === undefined ? {} : { rule: [key, text(args, 'value')] as const }),
        ...(output === undefined ? {} : { output }),
      }
    },
  ),
  edits(
    'config ts add notifier silence <key> <value> for <span>',
    'Tell nobody of what fits for a while, e.g. during maintenance: hostname leaf01 for 2h',
    (args) => {
      const forMs = parseSpan(text(args, 'span'))
      if (forMs === undefined)
        throw new Error(
          `"${text(args, 'span')}" is not a length of time such as 90s, 30m, 2h or 1d. Nothing was changed.`,
        )
      return { do: 'add-silence', rule: [text(args, 'key'), text(args, 'value')], forMs }
    },
  ),
  edits(
    'config ts add notifier loglevel (debug|info|warning|error)',
    'How much the notifier writes of itself in its own log',
    (args) => ({
      do: 'set-loglevel',
      level: ['debug', 'info', 'warning', 'error'].find((level) => args[level] === true)!,
    }),
  ),
  edits('config ts del notifier loglevel', 'Back to the default', () => ({ do: 'del-loglevel' })),
  edits(
    'config ts del notifier (slack|pagerduty|webhook|email|filter|silence) <name>',
    'Delete an integration, a filter or a silence',
    (args) => ({
      do: 'del',
      what: ['slack', 'pagerduty', 'webhook', 'email', 'filter', 'silence'].find(
        (what) => args[what] === true,
      )!,
      name: text(args, 'name'),
    }),
  ),
  {
    usage: 'config ts show notifier [json]',
    summary: 'The integrations, filters and silences, and how each receiver is doing',
    where: 'cts-auth',
    request: (args) => ({ path: '/v1/notifier/show', body: args.json ? { json: true } : {} }),
  },
  {
    usage: 'config ts notifier test <integration>',
    summary: 'Send one notification to an integration, now',
    where: 'cts-auth',
    changes: true,
    request: (args) => {
      const body: NotifierTest = { integration: text(args, 'integration') }
      return { path: '/v1/notifier/test', body }
    },
  },
  {
    usage:
      'config ts notifier explain [hostname <host>] [type <type>] [severity <severity>] [message <message>]',
    summary: 'Which filter such an event hits, and why',
    where: 'cts-auth',
    request: (args) => {
      const event = keysOf(args, { hostname: 'host', type: 'type', severity: 'severity', message: 'message' })
      const body: NotifierExplain = { event }
      return { path: '/v1/notifier/explain', body }
    },
  },
  {
    usage: 'config ts (start|stop|status|restart) notifier',
    summary: 'Start or stop the notifier of this server, or say how it is',
    where: 'cts-auth',
    changes: true,
    request: (args) => {
      const what = (['start', 'stop', 'status', 'restart'] as const).find((word) => args[word] === true)!
      const body: NotifierService = { do: what }
      return { path: '/v1/notifier/service', body }
    },
  },
]
