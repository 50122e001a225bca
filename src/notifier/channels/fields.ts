import type { z } from 'zod'
import { section } from '../../config/yml-file.ts'
import { SEVERITIES, type Severity } from '../types.ts'

/** Names that an output has besides those of the integrations. */
const RESERVED = ['ALL', 'None', 'syslog', 'syslog-server'] as const

/** An entry of `notifier-integrations`: the keys that every kind has, and its own. */
export function integration<Type extends string, Shape extends z.core.$ZodLooseShape>(
  zod: typeof z,
  type: Type,
  own: Shape,
) {
  const shape = {
    name: nameOf(zod),
    type: zod.literal(type),
    severity: severityOf(zod),
    ...own,
  }
  return section(zod, shape, 'an integration is a map of keys such as `name` and `type`')
}

function nameOf({ string }: typeof z) {
  const sentence =
    'an integration needs a `name` of up to 64 letters, digits, dots, dashes and underscores, without spaces'
  return string(sentence)
    .regex(/^[a-z\d][\w.-]{0,63}$/i, sentence)
    .refine((name) => !RESERVED.some((other) => other.toLowerCase() === name.toLowerCase()), {
      error: `an integration cannot be called ${RESERVED.join(', ')}`,
    })
}

/** The least severity that is sent, in capitals or not; INFO, which is all, where it is not given. */
function severityOf({ string }: typeof z) {
  const sentence = `\`severity\` must be one of ${SEVERITIES.join(', ')}`
  return string(sentence)
    .transform((text) => text.toUpperCase())
    .refine((text): text is Severity => SEVERITIES.some((known) => known === text), { error: sentence })
    .default('INFO')
}

/** A text that must be there, of up to 1,000 printable characters; digits alone need quotes in YAML. */
export function text({ string }: typeof z, key: string, least = 1) {
  const long = least > 1 ? ` of at least ${least} characters` : ''
  const sentence = `\`${key}\` is needed, a text${long} (in quotes if it has only digits)`
  return string(sentence)
    .min(least, sentence)
    .max(1000, `\`${key}\` has more than 1000 characters`)
    .regex(/^[^\0-\x1f\x7f]*$/, `\`${key}\` must be on one line`)
}

/** An address of a receiver. Node's fetch refuses one with a password in it, so that is told here. */
export function httpUrl(zod: typeof z, key: string) {
  return text(zod, key).refine(isHttpUrl, {
    error: `\`${key}\` must be an address that begins with https:// or http://, without a user and a password`,
  })
}

function isHttpUrl(address: string): boolean {
  const url = URL.parse(address)
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
}
