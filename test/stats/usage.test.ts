import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest'
import { Database } from '../../src/stats/database.ts'
import { COUNTERS, type Counter } from '../../src/stats/names.ts'
import { pointsOf } from '../../src/stats/points.ts'
import { type Counters, increase, type Sample, totalOf, usageIn } from '../../src/stats/usage.ts'
import { hasInflux, needsInflux, TestInflux } from '../support/influx.ts'

const counters = (some: Partial<Record<Counter, number>>): Counters =>
  ({ ...Object.fromEntries(COUNTERS.map((counter) => [counter, 0])), ...some }) as Counters

/** Only those that grew. */
const grown = (before: Partial<Counters>, after: Partial<Counters>) =>
  Object.fromEntries(Object.entries(increase(counters(before), counters(after))).filter(([, by]) => by !== 0))

describe('the increase from one sample to the next', () => {
  it('is the difference', () => {
    expect(grown({ rx_bytes: 2 ** 40, rx_errs: 1 }, { rx_bytes: 2 ** 40 + 9, rx_errs: 1 })).toEqual({
      rx_bytes: 9,
    })
  })

  it('goes on from 0 where a 32-bit counter turned over, and the others are the difference', () => {
    expect(grown({ rx_bytes: 2 ** 32 - 10, rx_packets: 50 }, { rx_bytes: 90, rx_packets: 60 })).toEqual({
      rx_bytes: 100,
      rx_packets: 10,
    })
  })

  it('is what all counters are now after a restart, also of those that are larger by now', () => {
    expect(
      grown(
        { rx_bytes: 9e9, tx_bytes: 5, rx_packets: 7e6 },
        { rx_bytes: 1000, tx_bytes: 40, rx_packets: 10 },
      ),
    ).toEqual({ rx_bytes: 1000, tx_bytes: 40, rx_packets: 10 })
  })

  it('takes a counter that fell from below half a turn to be of a restart', () => {
    expect(grown({ rx_bytes: 2 ** 31 - 1 }, { rx_bytes: 5 })).toEqual({ rx_bytes: 5 })
  })
})

/** What a node counts: traffic between the samples, restarts, and how many bits its counters have. */
const story = fc.record({
  bits: fc.constantFrom(32, 64),
  steps: fc.array(
    fc.record({
      // Less than half a turn between two samples: more cannot be told from a restart by anyone.
      bytes: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
      packets: fc.integer({ min: 0, max: 2 ** 22 }),
      restart: fc.boolean(),
    }),
    { minLength: 1, maxLength: 30 },
  ),
})

test('the total is what was counted, whatever turns over and restarts', () => {
  fc.assert(
    fc.property(story, ({ bits, steps }) => {
      const turn = bits === 32 ? 2 ** 32 : Number.POSITIVE_INFINITY
      let bytes = 3_000_000_000
      let packets = 10_000_000
      const samples: Sample[] = [{ time: 0, counters: counters({ rx_bytes: bytes, rx_packets: packets }) }]
      let truth = 0
      for (const [i, step] of steps.entries()) {
        // A restart shows when the packets went down, which they do unless hardly any had been counted before.
        const restart = step.restart && packets > step.packets
        bytes = restart ? step.bytes : (bytes + step.bytes) % turn
        packets = restart ? step.packets : packets + step.packets
        truth += step.bytes
        samples.push({ time: i + 1, counters: counters({ rx_bytes: bytes, rx_packets: packets }) })
      }
      expect(totalOf(samples).rx_bytes).toBe(truth)
    }),
  )
})

describe('what InfluxDB says of a range', () => {
  let influx: TestInflux
  let database: Database
  beforeEach(needsInflux)
  beforeAll(async () => {
    if (!hasInflux) return
    influx = new TestInflux()
    await influx.start()
    database = new Database(influx.url)
    await database.ensure(30)
  })
  afterAll(() => influx?.remove())

  it('is the same as adding up every sample, and counts each interface by itself', async () => {
    const start = Date.now() - 60_000
    const interfaces = {
      steady: [100, 200, 350],
      turned: [2 ** 32 - 100, 2 ** 32 - 50, 70],
      restarted: [5_000_000, 6_000_000, 40],
    }
    const entries = Object.entries(interfaces).flatMap(([name, values]) =>
      values.map((value, i) => ({
        id: '',
        host: 'leaf01',
        time: String(start + i * 15_000),
        lines: `${name}\t{"rx_bytes":${value},"rx_packets":${value}}`,
      })),
    )
    await database.write(entries.flatMap(pointsOf))
    // Every sample, and one in each step.
    for (const exact of [undefined, 0]) {
      const usages = await usageIn(database, { from: start - 1, to: Date.now() }, {}, exact)
      const shown = usages.map((one) => [one.interface, one.totals.rx_bytes, one.samples, one.to - one.from])
      expect(shown.sort()).toEqual([
        ['restarted', 1_000_040, 3, 30_000],
        ['steady', 250, 3, 30_000],
        ['turned', 170, 3, 30_000],
      ])
    }
    expect(await usageIn(database, { from: start - 1, to: Date.now() }, { interface: "x' OR 1=1" })).toEqual(
      [],
    )
    const one = await usageIn(database, { from: start - 1, to: Date.now() }, { interface: 'steady' })
    expect(one.map(({ interface: name }) => name)).toEqual(['steady'])
  })

  it('is refused, with what to do, where it would take too long', async () => {
    const year = { from: Date.now() - 365 * 86_400_000, to: Date.now() }
    await expect(usageIn(database, year, {})).rejects.toThrow(
      /^that is about 6307200 samples of 3 interfaces, more than can be added up at once: name a host or an interface, or a shorter time$/,
    )
  })
})
