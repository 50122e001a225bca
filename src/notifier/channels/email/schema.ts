import { isIP } from 'node:net'
import type { z } from 'zod'
import { integration, text } from '../fields.ts'

const securities = ['starttls', 'tls', 'none'] as const

export function emailSchema(zod: typeof z) {
  const { array, literal } = zod
  const security = literal(securities, `\`security\` must be one of ${securities.join(', ')}`)
  return integration(zod, 'email', {
    server: text(zod, 'server'),
    port: portOf(zod),
    /** Encrypted from `STARTTLS` on (as on ports 25 and 587), from the first byte (465), or not at all. */
    security: security.default('starttls'),
    user: text(zod, 'user').optional(),
    password: text(zod, 'password').optional(),
    from: address(zod, 'from'),
    to: array(address(zod, 'to'), '`to` must be a list of mail addresses')
      .min(1, '`to` must be a list of mail addresses')
      .max(100, '`to` may have 100 addresses'),
  })
    .refine(({ user, password }) => (user === undefined) === (password === undefined), {
      error: '`user` and `password` belong together',
    })
    .refine((mail) => mail.password === undefined || mail.security !== 'none' || isHere(mail.server), {
      error: '`password` would travel in the clear: `security` must be starttls or tls',
      path: ['password'],
    })
}

export type EmailSettings = z.infer<ReturnType<typeof emailSchema>>

function portOf({ number }: typeof z) {
  const sentence = '`port` must be a whole number from 1 to 65535'
  return number(sentence).int(sentence).min(1, sentence).max(65535, sentence).default(25)
}

function address(zod: typeof z, key: string) {
  return text(zod, key).regex(/^[^\s<>,;:@"()[\]\\]+@[^\s<>,;:@"()[\]\\]+$/, {
    error: `\`${key}\` must have mail addresses such as noc@example.net`,
  })
}

const isHere = (server: string) =>
  server === 'localhost' || server === '::1' || (isIP(server) === 4 && server.startsWith('127.'))
