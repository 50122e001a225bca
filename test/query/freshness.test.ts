import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { statusOf } from '../../src/query/freshness.ts'
import { agent, HOUR, healthy, NOW, SECOND } from './fake-reader.ts'

const silentFor = (ms: number) => agent('leaf01', { seen: NOW - ms })

describe('the status of an agent', () => {
  it('is Fresh while it is heard', () => {
    expect(statusOf(silentFor(89 * SECOND), healthy, NOW)).toEqual({
      status: 'Fresh',
      reason: 'heard 1m:29s ago',
    })
  })

  it('is Rotten after 90 s of silence while the servers could hear it', () => {
    expect(statusOf(silentFor(90 * SECOND), healthy, NOW)).toEqual({
      status: 'Rotten',
      reason: 'not heard for 1m:30s',
    })
    expect(statusOf(agent('leaf01', { seen: 0 }), healthy, NOW)).toEqual({
      status: 'Rotten',
      reason: 'never heard',
    })
  })

  it('is Waiting, not Rotten, while the servers have only just become able to hear it', () => {
    const recovered = { ...healthy, writableSince: NOW - 20 * SECOND }
    expect(statusOf(silentFor(10 * 60 * SECOND), recovered, NOW)).toEqual({
      status: 'Waiting',
      reason: 'not heard for 10m:0s, but the servers could take data only for 20s',
    })
    expect(statusOf(silentFor(10 * 60 * SECOND), recovered, NOW + 70 * SECOND).status).toBe('Waiting')
    const later = { ...recovered, markerTime: NOW + 70 * SECOND }
    expect(statusOf(silentFor(10 * 60 * SECOND), later, NOW + 70 * SECOND).status).toBe('Rotten')
  })

  it('is Waiting while this copy is stale, unless the agent was rotten before', () => {
    const stale = { ...healthy, markerTime: NOW - HOUR }
    expect(statusOf(silentFor(HOUR + 10 * SECOND), stale, NOW)).toMatchObject({
      status: 'Waiting',
      reason: expect.stringContaining("this server's copy is behind or the servers cannot take data"),
    })
    expect(statusOf(silentFor(3 * HOUR), stale, NOW)).toEqual({
      status: 'Rotten',
      reason: "not heard for 2h:0m:0s, as of this server's copy",
    })
  })

  it('is never Rotten without 90 s in which it could have been heard', () => {
    const past = fc.nat(500 * SECOND).map((ms) => NOW - ms)
    fc.assert(
      fc.property(past, past, past, (seen, writableSince, markerTime) => {
        const { status } = statusOf(agent('leaf01', { seen }), { writableSince, markerTime }, NOW)
        if (status === 'Rotten')
          expect(NOW - Math.max(seen, writableSince)).toBeGreaterThanOrEqual(90 * SECOND)
        if (status === 'Fresh') expect(NOW - seen).toBeLessThan(90 * SECOND)
        if (status === 'Fresh') expect(NOW - markerTime).toBeLessThanOrEqual(5 * SECOND)
      }),
      { numRuns: 1000 },
    )
  })
})
