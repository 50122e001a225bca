import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { Database } from '../../src/stats/database.ts'
import { COUNTERS } from '../../src/stats/names.ts'
import { pointsOf } from '../../src/stats/points.ts'
import { hasInflux, needsInflux, TestInflux } from '../support/influx.ts'

interface Dashboard {
  readonly templating: { readonly list: readonly { readonly query: string }[] }
  readonly panels: readonly {
    readonly title: string
    readonly targets: readonly { readonly query: string }[]
  }[]
}

const file = join(import.meta.dirname, '../../docs/grafana/netq-interface-stats.json')
const dashboard = JSON.parse(readFileSync(file, 'utf8')) as Dashboard

let influx: TestInflux
beforeEach(needsInflux)
beforeAll(async () => {
  if (!hasInflux) return
  influx = new TestInflux()
  await influx.start()
  const database = new Database(influx.url)
  await database.ensure(30)
  const counters = (n: number) => `{${COUNTERS.map((counter) => `"${counter}":${n}`).join(',')}}`
  const sample = (n: number) => ({ id: '', host: 'leaf01', time: String(Date.now() - n * 15_000) })
  const entries = [1, 2, 3, 4, 5, 6].map((n) => ({ ...sample(n), lines: `swp1\t${counters(100 - n)}` }))
  await database.write(entries.flatMap(pointsOf))
})
afterAll(() => influx?.remove())

/** The query as Grafana sends it, with one host and interface chosen. */
async function ask(query: string): Promise<{ values: unknown[][] }[]> {
  const q = query
    .replaceAll('$hostname', 'leaf01')
    .replaceAll('$interface', 'swp1')
    .replaceAll('$timeFilter', 'time >= now() - 1h')
    .replaceAll('$__interval', '30s')
  const answer = await fetch(`${influx.url}/query?${new URLSearchParams({ db: 'netq', q })}`)
  const { results } = (await answer.json()) as {
    results: { series?: { values: unknown[][] }[]; error?: string }[]
  }
  expect(results[0]!.error).toBeUndefined()
  return results[0]!.series ?? []
}

it.each(dashboard.templating.list)('the variable $query has a value', async ({ query }) => {
  expect((await ask(query))[0]!.values).toHaveLength(1)
})

it.each(dashboard.panels.flatMap(({ title, targets }) => targets.map(({ query }) => ({ title, query }))))(
  'the panel $title shows a rate: $query',
  async ({ query }) => {
    const [series] = await ask(query)
    expect(series!.values.length).toBeGreaterThan(0)
    expect(series!.values.every(([, rate]) => Number(rate) > 0)).toBe(true)
  },
)

it('the dashboard shows every counter', () => {
  const text = JSON.stringify(dashboard)
  expect(COUNTERS.filter((counter) => !text.includes(counter))).toEqual([])
})
