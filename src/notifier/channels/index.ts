import type { z } from 'zod'
import { type Channel, type Event, SEVERITIES } from '../types.ts'
import { email } from './email/index.ts'
import type { ChannelContext, Kind } from './kind.ts'
import { pagerduty } from './pagerduty/index.ts'
import { slack } from './slack/index.ts'
import { SyslogFile } from './syslog/file.ts'
import { makeSyslogSender } from './syslog/sender.ts'
import type { SyslogServer } from './syslog/server.ts'
import { webhook } from './webhook/index.ts'

/** Every kind of integration. The schema of netq.yml and what is shown of it derive from this list. */
const kinds = [slack, pagerduty, webhook, email] as const

/** An entry of `notifier-integrations`, validated: the keys are those of the file. */
export type Integration = z.infer<ReturnType<(typeof kinds)[number]['schema']>>

/** Whatever notifications are sent to: the integrations, and what is there without being one. */
export type Receiver =
  | Integration
  | { readonly type: 'syslog'; readonly name: 'syslog' }
  | { readonly type: 'syslog-server'; readonly name: 'syslog-server'; readonly server: SyslogServer }

/** All receivers, each with a name of its own: the log file, the syslog server if one is set, the integrations. */
export function receiversOf(settings: {
  readonly syslogServer?: SyslogServer
  readonly integrations: readonly Integration[]
}): Receiver[] {
  const server = settings.syslogServer
  return [
    { type: 'syslog', name: 'syslog' },
    ...(server ? [{ type: 'syslog-server', name: 'syslog-server', server } as const] : []),
    ...settings.integrations,
  ]
}

/** The schema of one entry. */
export function integrationSchema(zod: typeof z) {
  const schemas = kinds.map((one) => one.schema(zod)) as unknown as [
    ReturnType<(typeof kinds)[number]['schema']>,
  ]
  return zod.discriminatedUnion('type', schemas, {
    error: `an integration needs a \`type\`: one of ${kinds.map(({ type }) => type).join(', ')}`,
  })
}

/** Constructs only: nothing is opened before the first notification. `close` ends what is open. */
export function makeChannel(
  receiver: Receiver,
  given: Omit<ChannelContext, 'timeoutMs'> & Partial<ChannelContext>,
): Channel {
  const context = { timeoutMs: 10_000, ...given }
  if (receiver.type === 'syslog') return new SyslogFile(context)
  if (receiver.type === 'syslog-server') return makeSyslogSender(receiver.server, context)
  return kindOf(receiver).make(receiver, context)
}

/** Whether an integration gets an event, as far as its own severity goes. */
export function isSevereEnough({ severity, recovers }: Event, to: Integration): boolean {
  if (recovers && kindOf(to).keepsOpen) return true
  return SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(to.severity)
}

/** An integration as it may be shown: its keys, with the values of those that are secret replaced. */
export function shownOf(integration: Integration): Record<string, string> {
  const { secrets } = kindOf(integration)
  return Object.fromEntries(
    Object.entries(integration).map(([key, value]) => [
      key,
      secrets.includes(key as never) ? '(hidden)' : [value].flat().join(', '),
    ]),
  )
}

function kindOf({ type }: Integration): Kind<string, z.ZodType<Integration> & z.ZodObject> {
  return kinds.find((one) => one.type === type) as never
}
