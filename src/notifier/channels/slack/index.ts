import { Batches, type Delivery } from '../batches.ts'
import { httpUrl, integration, text } from '../fields.ts'
import { post } from '../http.ts'
import { kind } from '../kind.ts'
import { slackText } from './text.ts'

/**
 * A Slack channel, by its incoming webhook. Everything that is pending goes as one message, as Slack takes about one a
 * second: up to 20 events as they are, more of them as a summary (text.ts).
 */
export const slack = kind({
  type: 'slack',
  secrets: ['webhook', 'url'],
  schema: (zod) =>
    integration(zod, 'slack', {
      webhook: httpUrl(zod, 'webhook'),
      /** Put at the end of every message, as it is: `<@netops>` or `@netops`. */
      tag: text(zod, 'tag').optional(),
      /** Where the messages are sent instead, e.g. a proxy. */
      url: httpUrl(zod, 'url').optional(),
    }),
  make({ webhook, url, tag }, { timeoutMs }) {
    const batches = new Batches(500)
    return {
      send: (notifications, signal) =>
        batches.send(notifications, (some): Promise<Delivery> => {
          const body = JSON.stringify({
            text: slackText(some, tag),
            // Makes `@name` in a tag a mention.
            ...(tag === undefined ? {} : { link_names: true }),
          })
          return post({ url: url ?? webhook, body, signal, timeoutMs })
        }),
      close: async () => {},
    }
  },
})
