import { expect, test } from 'vitest'
import { Watch } from '../../src/health/watch.ts'

const A = '10.0.0.5'
const B = '10.0.0.6'

/** What server A saw: who is the master, and the newest mark in its copy. */
function saw(by: string | undefined, marker: number, markerTime: number, clusterId = 'x') {
  const role = by === A ? ('master' as const) : ('replica' as const)
  const follows = role === 'replica' && by !== undefined ? { follows: by } : {}
  return { self: A, mine: { redis: { role, ...follows, clusterId, marker, markerTime } } }
}

function gapAfter(...looks: ReturnType<typeof saw>[]): number | undefined {
  const watch = new Watch<ReturnType<typeof saw>>()
  for (const look of looks) watch.looked(look, performance.now())
  return watch.gapMs
}

test('the gap is the time between the marks around a change of master', () => {
  expect(gapAfter(saw(B, 1, 1000), saw(B, 2, 2000), saw(A, 2, 2000), saw(A, 3, 4500), saw(A, 4, 5500))).toBe(
    2500,
  )
  expect(gapAfter(saw(A, 2, 2000), saw(undefined, 2, 2000), saw(B, 4, 4500))).toBe(2500)
})

test('there is none without a change', () => {
  expect(gapAfter(saw(B, 1, 1000), saw(B, 2, 9000))).toBeUndefined()
})

test('there is none before the new master has marked', () => {
  expect(gapAfter(saw(B, 1, 1000), saw(A, 1, 1000))).toBeUndefined()
})

test('a server that was away while the master changed does not know it', () => {
  expect(gapAfter(saw(A, 5, 5000), saw(B, 90, 90_000))).toBeUndefined()
  const known = [saw(A, 5, 5000), saw(B, 6, 7000)]
  expect(gapAfter(...known)).toBe(2000)
  expect(gapAfter(...known, saw(A, 60, 90_000))).toBeUndefined()
})

test('joining a cluster is no change of master', () => {
  expect(gapAfter(saw(A, 5, 5000, ''), saw(B, 6, 7000, 'x'))).toBeUndefined()
})

test('ages grow with the time, and not with the time of day', () => {
  const watch = new Watch<ReturnType<typeof saw>>()
  expect(watch.last).toBeUndefined()
  expect(watch.rounds).toBe(0)
  watch.looked(saw(A, 1, 1), performance.now() - 700)
  watch.roundEnded()
  expect(watch.last!.ageMs).toBeGreaterThanOrEqual(700)
  expect(watch.last!.ageMs).toBeLessThan(700 + watch.roundAgeMs + 100)
  expect(watch.rounds).toBe(1)
})
