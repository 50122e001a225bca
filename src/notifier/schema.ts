import type { z } from 'zod'
import { wholeFile } from '../config/sections.ts'
import { section } from '../config/yml-file.ts'
import { integrationSchema } from './channels/index.ts'
import { syslogServerSchema } from './channels/syslog/server.ts'
import { patternProblem } from './patterns.ts'
import { SEVERITIES } from './types.ts'

/** What a rule can ask of an event; `ifname` is what the event is about on its host, e.g. swp1. */
export type RuleKey = 'hostname' | 'type' | 'severity' | 'ifname' | 'message'

/** Regular expressions by key: all of them must match, and an empty rule always does (filters.ts says how). */
export type Rule = { readonly [Key in RuleKey]?: string }

/** netq.yml, as far as the notifier reads it. What concerns several entries is in config.ts. */
export function fileSchema(zod: typeof z) {
  const { array, boolean, string, literal } = zod
  const levels = ['debug', 'info', 'warning', 'error'] as const
  const notifier = section(
    zod,
    {
      log_level: literal(levels, `\`log_level\` must be one of ${levels.join(', ')}`),
      syslog_server: syslogServerSchema(zod),
    },
    '`netq-notifier` must be a section of keys',
  ).partial()
  const outputs = '`output` must be a list: of integrations, or [ALL], or [None]'
  const filter = section(
    zod,
    {
      name: label(zod, 'a filter'),
      rule: ruleSchema(zod).nullish(),
      output: array(string(outputs), outputs).nullish(),
      terminate_on_match: boolean('`terminate_on_match` must be True or False').nullish(),
    },
    'a filter is a map of keys such as `name`, `rule` and `output`',
  )
  const silence = section(
    zod,
    { name: label(zod, 'a silence'), rule: ruleSchema(zod).nullish(), until: untilSchema(zod) },
    'a silence is a map of the keys `name`, `rule` and `until`',
  )
  const list = <Entry extends z.ZodType>(name: string, entry: Entry) =>
    array(entry, `\`${name}\` must be a list`).nullish()
  return wholeFile(zod, {
    'netq-notifier': notifier.nullish(),
    'notifier-integrations': list('notifier-integrations', integrationSchema(zod)),
    'notifier-filters': list('notifier-filters', filter),
    'notifier-silences': list('notifier-silences', silence),
  })
}

export type NotifierFile = z.infer<ReturnType<typeof fileSchema>>

function ruleSchema(zod: typeof z) {
  const value = (key: keyof Rule) => {
    const sentence = `\`${key}\` must be a regular expression, in quotes if it has only digits`
    return zod
      .string(sentence)
      .max(1000, `\`${key}\` has more than 1000 characters`)
      .superRefine((pattern, context) => {
        const problem = patternProblem(pattern)
        if (problem) context.addIssue({ code: 'custom', message: `\`${key}\` ${problem}` })
        else if (key === 'severity' && /^[a-z]+$/i.test(pattern) && !isSeverity(pattern)) {
          const message = `\`severity\` must be one of ${SEVERITIES.join(', ')}, or a regular expression for several`
          context.addIssue({ code: 'custom', message })
        }
      })
  }
  const shape = {
    hostname: value('hostname'),
    type: value('type'),
    severity: value('severity'),
    ifname: value('ifname'),
    message: value('message'),
  } satisfies Record<keyof Rule, unknown>
  return section(
    zod,
    shape,
    '`rule` must be keys with regular expressions, such as hostname: leaf.*',
  ).partial()
}

const isSeverity = (text: string) => SEVERITIES.some((known) => known === text.toUpperCase())

function label({ string }: typeof z, what: string) {
  const sentence = `${what} needs a \`name\` of up to 64 printable characters`
  return string(sentence).regex(/^[^\0-\x1f\x7f]{1,64}$/, sentence)
}

/** ISO 8601 with its zone, to milliseconds since the epoch. */
function untilSchema({ string }: typeof z) {
  const sentence = '`until` must be a time such as 2026-11-23T18:00:00Z'
  return string(sentence)
    .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/, sentence)
    .transform((text) => Date.parse(text))
    .refine((time) => !Number.isNaN(time), { error: sentence })
}
