import { ask } from '../platform/ask.ts'
import type { Database, Range } from './database.ts'
import type { Holding, Others } from './fill.ts'
import { timeOfId } from './stream.ts'

/** How long counting a day's samples, or sending a few thousand, may take; milliseconds. */
const ANSWER_MS = 30_000

/** What a server is asked of its statistics, by another one of its cluster. */
export type Question = Range & { readonly what: 'holding' | 'points' }

/** Answers another server's question from this server's InfluxDB. Rejects with a sentence. */
export async function answerOf(database: Database, { what, from, to }: Question): Promise<object> {
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to)) throw new Error('that is no range of times')
  const range = { from, to }
  if (what === 'points') return { points: await database.points(range) }
  const [counts, progress] = await Promise.all([database.counts(range), database.progress()])
  return { counts, upTo: timeOfId(progress?.id ?? '0-0') } satisfies Holding
}

/** The other servers, asked by way of this server's cts-auth: it alone has the key with which servers know each other. */
export function othersBy(ctsAuthSocket: string): Others {
  const question = <T>(server: string, body: Question) =>
    ask<T>(ctsAuthSocket, '/v1/stats/ask', { server, ...body }, ANSWER_MS)
  return {
    servers: async () => (await ask<{ servers: string[] }>(ctsAuthSocket, '/v1/stats/servers')).servers,
    holding: (server, range) => question(server, { what: 'holding', ...range }),
    points: async (server, range) =>
      (await question<{ points: string[] }>(server, { what: 'points', ...range })).points,
  }
}
