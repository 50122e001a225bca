import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Spool } from '../../src/agent/spool.ts'
import { recordingLog, StoreDouble } from './helpers.ts'

/** A spool, the store that it pushes to, and what became of every payload that was ever made. */
class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'model-'))
  readonly store = new StoreDouble()
  readonly made: string[] = []
  readonly capBytes: number
  spool: Spool
  connected = false
  /** Payloads that a cut of a file may have taken without the spool being able to know. */
  cut = false

  constructor(capBytes: number) {
    this.capBytes = capBytes
    this.spool = this.open()
  }

  open(): Spool {
    return Spool.open(this.folder, { capBytes: this.capBytes, segmentBytes: 300 }, recordingLog())
  }

  connect(): void {
    expect(this.spool.reconcile(this.store.mark).ready).toBe(true)
    this.connected = true
  }

  /** The agent dies and comes back; nothing is flushed that was not written. */
  restart(): void {
    this.spool.close()
    this.spool = this.open()
    this.connected = false
  }

  end(): void {
    this.spool.close()
    rmSync(this.folder, { recursive: true })
  }
}

type Step = (world: World) => void

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.nat(120).map(
      (size): Step =>
        (world) => {
          const payload = `${world.made.length} ${'x'.repeat(size)}`
          world.made.push(payload)
          const before = world.spool.last
          expect(world.spool.append(size, payload).seq).toBe(before + 1)
        },
    ),
  },
  { weight: 3, arbitrary: fc.constant<Step>((world) => world.connect()) },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(500)).map(
      ([count, bytes]): Step =>
        (world) => {
          const batches = world.spool.after(world.store.mark, count, bytes)
          if (!world.connected) expect(batches).toEqual([])
          else expect(batches.length > 0).toBe(world.spool.last > world.store.mark)
          for (const batch of batches) world.store.apply(batch)
        },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.nat(5).map(
      (kept): Step =>
        (world) => {
          if (!world.connected) return
          world.spool.trim(world.store.mark - kept)
          expect(world.spool.first).toBeGreaterThan(world.store.mark - kept)
        },
    ),
  },
  { weight: 2, arbitrary: fc.constant<Step>((world) => world.restart()) },
  {
    weight: 1,
    arbitrary: fc.constant<Step>((world) => {
      if (world.connected && world.spool.last > world.store.mark)
        world.spool.replaceWithGap(world.store.mark + 1, 'refused')
    }),
  },
)

const cutTail: fc.Arbitrary<Step> = fc.double({ min: 0, max: 1, noNaN: true }).map(
  (part): Step =>
    (world) => {
      world.spool.close()
      const newest = readdirSync(world.folder)
        .filter((name) => name.endsWith('.seg'))
        .sort()
        .at(-1)
      if (newest)
        truncateSync(join(world.folder, newest), Math.floor(statSync(join(world.folder, newest)).size * part))
      world.cut = true
      world.spool = world.open()
      world.connected = false
    },
)

function check(capBytes: number, step: fc.Arbitrary<Step>): void {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (all) => {
      const world = new World(capBytes)
      try {
        for (const one of all) one(world)
        world.connect()
        world.store.take(world.spool)
        expect(world.store.mark).toBe(world.spool.last)
        const data = world.store.payloads.filter((payload) => !payload.startsWith('G\t'))
        // In the order in which they were made, none twice.
        expect(data).toEqual(world.made.filter((payload) => data.includes(payload)))
        const numbersLost = world.store.applied
          .filter((batch) => batch.payload.startsWith('G\t'))
          .reduce((sum, batch) => sum + batch.seq - batch.prev, 0)
        if (!world.cut) expect(data.length + numbersLost).toBe(world.made.length)
      } finally {
        world.end()
      }
    }),
    { numRuns: 150 },
  )
}

it('in any order of events, every batch is applied once, or part of one gap', () => {
  check(1 << 20, steps)
})

it('with a spool that is too small, too', () => {
  check(1500, steps)
})

it('and when the end of the newest file gets lost, none is applied twice or out of order', () => {
  check(1 << 20, fc.oneof({ weight: 12, arbitrary: steps }, { weight: 1, arbitrary: cutTail }))
})
