import { afterEach, describe, expect, test } from 'vitest'
import { healthServer } from '../../src/health/server.ts'
import type { Figures, Situation } from '../../src/health/types.ts'
import { parseExposition } from './exposition-parser.ts'
import { A, B, C, master, NOW, replica, situation } from './situations.ts'

const figures: Figures = {
  memoryUsedBytes: 1000,
  memoryMaxBytes: 5000,
  logEntries: 42,
  agents: { fresh: 3, waiting: 1, rotten: 0 },
  spooledSum: 17,
  spooledMax: 12,
}
const open: ReturnType<typeof healthServer>[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})

/** The endpoints over this situation; `asked` counts the questions to the store. */
function serverOf(now: Situation, store: Partial<Parameters<typeof healthServer>[0]['store']> = {}) {
  const asked = { figures: 0, since: 0 }
  const server = healthServer({
    version: '0.1.0',
    situation: () => now,
    store: {
      figures: async () => {
        asked.figures++
        return figures
      },
      since: async () => {
        asked.since++
        return NOW - 60_000
      },
      ...store,
    },
  })
  open.push(server)
  return { server, asked }
}

describe('the endpoints', () => {
  test.each([
    ['/', 200],
    ['/primary', 200],
    ['/master', 200],
    ['/replica', 503],
    ['/health', 200],
    ['/liveness', 200],
    ['/readiness', 200],
  ])('%s answers %i on the master, to GET, HEAD and OPTIONS', async (url, status) => {
    const { server } = serverOf(situation(master))
    const get = await server.inject({ method: 'GET', url })
    expect(get.statusCode).toBe(status)
    expect(get.json()).toMatchObject({ state: 'ok', role: 'master', master: A, lag: 0, epoch: 7 })
    expect(get.json().since).toBe(NOW / 1000 - 60)
    const head = await server.inject({ method: 'HEAD', url })
    expect([head.statusCode, head.body]).toEqual([status, ''])
    expect(head.headers['content-type']).toBe(get.headers['content-type'])
    const options = await server.inject({ method: 'OPTIONS', url })
    expect([options.statusCode, options.body, options.headers.allow]).toEqual([
      status,
      '',
      'GET, HEAD, OPTIONS',
    ])
  })

  test.each([
    ['/replica', 503],
    ['/replica?lag=60', 200],
    ['/replica?lag=2.5', 503],
    ['/replica?lag=', 400],
    ['/replica?lag=-1', 400],
    ['/replica?lag=ten', 400],
    ['/replica?lag=1&lag=2', 400],
    ['/primary?lag=ten', 503],
  ])('%s answers %i where the copy is 10 s old', async (url, status) => {
    const { server } = serverOf(situation({ ...replica, markerTime: NOW - 10_000 }))
    const answer = await server.inject(url)
    expect(answer.statusCode).toBe(status)
    expect(answer.json().reason).toMatch(/^\S.*[^.]$/)
  })

  test('what is not there, or would change something, is refused in a sentence', async () => {
    const { server } = serverOf(situation(master))
    expect((await server.inject('/nothing')).statusCode).toBe(404)
    const post = await server.inject({ method: 'POST', url: '/primary', payload: { a: 1 } })
    expect([post.statusCode, post.json()]).toEqual([405, { reason: 'this can only be read' }])
    expect((await server.inject('/%')).statusCode).toBe(400)
  })

  test('an error inside is one sentence that tells nothing of it', async () => {
    const { server } = serverOf(situation(master), {
      since: async () => {
        throw new Error('secret')
      },
    })
    const answer = await server.inject('/primary')
    expect([answer.statusCode, answer.json()]).toEqual([500, { reason: 'this server could not answer' }])
  })

  test('the store is not asked while Redis does not answer', async () => {
    const { server, asked } = serverOf(situation(undefined))
    expect((await server.inject('/primary')).statusCode).toBe(503)
    expect((await server.inject('/metrics')).statusCode).toBe(200)
    expect(asked).toEqual({ figures: 0, since: 0 })
  })
})

describe('/metrics', () => {
  async function metrics(now: Situation, store?: Parameters<typeof serverOf>[1]) {
    const answer = await serverOf(now, store).server.inject('/metrics')
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    const parsed = parseExposition(answer.body)
    return (name: string, labels = '') => parsed.get(`netq_${name}`)?.samples.get(labels)
  }

  test('of the master', async () => {
    const of = await metrics(situation(master, { top: { gapMs: 2240 } }))
    expect(of('build_info', 'version="0.1.0"')).toBe(1)
    expect(of('health_ok', 'check="primary"')).toBe(1)
    expect(of('health_ok', 'check="replica"')).toBe(0)
    expect(of('server_role', `server="${A}",role="master"`)).toBe(1)
    expect(of('server_role', `server="${C}",role="master"`)).toBe(0)
    expect(of('server_role', `server="${C}",role="replica"`)).toBe(1)
    expect(of('server_ok', `server="${B}"`)).toBe(1)
    expect(of('replica_lag_seconds', `replica="${C}"`)).toBe(1)
    expect(of('replica_offset_bytes', `replica="${C}"`)).toBe(1200)
    expect(of('replicas_required')).toBe(1)
    expect(of('replication_lag_seconds')).toBe(0)
    expect(of('replication_link_up')).toBeUndefined()
    expect(of('quorum_ok')).toBe(1)
    expect([of('sentinel_replicas'), of('sentinel_others'), of('sentinel_tilt')]).toEqual([2, 2, 0])
    expect([of('epoch'), of('mark_age_seconds'), of('last_write_gap_seconds')]).toEqual([7, 0.8, 2.24])
    expect([of('batches_applied_total'), of('log_entries')]).toEqual([99, 42])
    expect([of('memory_used_bytes'), of('memory_max_bytes')]).toEqual([1000, 5000])
    expect([of('agents', 'status="fresh"'), of('agents', 'status="waiting"')]).toEqual([3, 1])
    expect([of('agents_spooled_batches'), of('agents_spooled_batches_max')]).toEqual([17, 12])
    expect([of('control_rounds_total'), of('control_round_age_seconds')]).toEqual([12, 0.3])
  })

  test('of a replica', async () => {
    const of = await metrics(situation(replica))
    expect([of('replication_lag_seconds'), of('replication_offset_bytes')]).toEqual([0.8, 1234])
    expect([of('replication_link_up'), of('replication_syncing')]).toEqual([1, 0])
    expect([of('replicas_required'), of('last_write_gap_seconds')]).toEqual([undefined, undefined])
  })

  test('leave out what is not known, and say so', async () => {
    const of = await metrics(situation(master), { figures: () => Promise.reject(new Error('no')) })
    expect([of('store_readable'), of('log_entries'), of('agents', 'status="fresh"')]).toEqual([
      0,
      undefined,
      undefined,
    ])
    const dead = await metrics(situation(undefined))
    expect([dead('redis_up'), dead('sentinel_up'), dead('epoch'), dead('replication_offset_bytes')]).toEqual([
      0,
      1,
      7,
      undefined,
    ])
    const blind = await metrics(situation(master, { look: { ageMs: 6000 } }))
    expect([blind('redis_up'), blind('server_ok', `server="${A}"`), blind('control_rounds_total')]).toEqual([
      undefined,
      undefined,
      12,
    ])
  })
})
