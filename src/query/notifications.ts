import type { SentRecord } from '../api/notifications.ts'
import { ago } from '../text/duration.ts'
import type { Listing } from './listing.ts'

const heads = ['When', 'Integration', 'Filter', 'Outcome', 'Tries', 'Severity', 'Message']

/** `show notifications`: what the notifier sent, to whom and when, the newest first. */
export function notificationsListing(
  records: readonly SentRecord[],
  fitsHost: (hostname: string) => boolean,
  now: number,
): Listing {
  const wanted = records.filter(({ event }) => fitsHost(event.hostname))
  return {
    name: 'notifications',
    count: wanted.length,
    heads,
    cells: () =>
      wanted.map(({ time, integration, filter, outcome, tries, problem, event }) => [
        ago(now - time),
        integration,
        filter,
        problem === undefined ? outcome : `${outcome}: ${problem}`,
        String(tries),
        event.severity,
        event.message,
      ]),
    records: () =>
      wanted.map(({ time, event, ...rest }) => ({
        ...rest,
        ...event,
        eventTime: event.time / 1000,
        time: time / 1000,
      })),
  }
}
