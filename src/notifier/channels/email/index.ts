import { Batches } from '../batches.ts'
import { kind } from '../kind.ts'
import { Mailer } from './mailer.ts'
import { emailSchema } from './schema.ts'

/** E-mail through an SMTP server: one mail for all that is pending. */
export const email = kind({
  type: 'email',
  secrets: ['password'],
  schema: emailSchema,
  make(settings, context) {
    const mailer = new Mailer(settings, context)
    const batches = new Batches(500)
    return {
      send: (notifications, signal) => batches.send(notifications, (some) => mailer.deliver(some, signal)),
      close: () => mailer.close(),
    }
  },
})
