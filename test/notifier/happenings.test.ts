import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { happeningOfAgent, happeningOfCluster } from '../../src/notifier/happenings.ts'
import type { Happening, Row } from '../../src/tables/table.ts'

const line = (happening: Happening | undefined) =>
  happening && `${happening.severity} ${happening.message}${happening.recovers ? ' (over)' : ''}`
const changeOf = (key: string, before: Row | undefined, after: Row | undefined) => ({
  hostname: 'ts01',
  key,
  ...(before && { before }),
  ...(after && { after }),
})
type Case = [what: string, before: Row | undefined, after: Row | undefined, told: string | undefined]

describe('agents', () => {
  const fresh = { status: 'Fresh', reason: 'heard 2s ago' }
  const rotten = { status: 'Rotten', reason: 'not heard for 1m:30s' }
  const waiting = {
    status: 'Waiting',
    reason: 'not heard for 1m:30s, but the servers could take data only for 3s',
  }

  it.each<Case>([
    [
      'silent',
      fresh,
      rotten,
      'ERROR AGENT: leaf01: status changed from Fresh to Rotten: not heard for 1m:30s; what is shown of this host is ' +
        'from before',
    ],
    [
      'heard again',
      rotten,
      fresh,
      'INFO AGENT: leaf01: status changed from Rotten to Fresh: heard 2s ago (over)',
    ],
    [
      'not to be heard',
      fresh,
      waiting,
      'INFO AGENT: leaf01: status changed from Fresh to Waiting: not heard for 1m:30s, but the servers could take data ' +
        'only for 3s; nothing is wrong with the agent as far as is known',
    ],
    [
      'decommissioned',
      rotten,
      undefined,
      'INFO AGENT: leaf01: is not watched any more; it was Rotten (over)',
    ],
    ['new', undefined, rotten, undefined],
    ['as silent as before', rotten, { ...rotten, reason: 'not heard for 2m:0s' }, undefined],
    ['in a row without a status', {}, fresh, undefined],
  ])('%s', (_, before, after, told) => {
    expect(line(happeningOfAgent(changeOf('leaf01', before, after)))).toBe(told)
  })
})

describe('the master', () => {
  const first = { master: '10.0.0.5', why: 'failover: the master was lost', gapMs: null }
  const failover = { master: '10.0.0.6', why: 'failover: the master was lost', gapMs: 2113 }

  it.each<Case>([
    [
      'lost',
      first,
      failover,
      'WARNING CLUSTER: the master changed from 10.0.0.5 to 10.0.0.6 (failover: the master was lost); no write was ' +
        'taken for 2113 ms; agents send again what was not acknowledged; see why 10.0.0.5 was lost',
    ],
    [
      'handed over',
      first,
      { master: '10.0.0.6', why: 'switchover', gapMs: 81 },
      'INFO CLUSTER: switchover: the master changed from 10.0.0.5 to 10.0.0.6; no write was taken for 81 ms',
    ],
    [
      'after a full stop',
      first,
      { master: '10.0.0.5', why: 'election after a full stop', gapMs: null },
      'WARNING CLUSTER: 10.0.0.5 is the master again (election after a full stop); agents send again what was not ' +
        'acknowledged',
    ],
    ['of a new cluster', undefined, { master: '10.0.0.5' }, 'INFO CLUSTER: 10.0.0.5 is the master'],
    ['with a gap that is known by now', failover, { ...failover, gapMs: 2200 }, undefined],
    ['nobody knows', first, {}, undefined],
  ])('%s', (_, before, after, told) => {
    expect(line(happeningOfCluster(changeOf('master', before, after)))).toBe(told)
  })
})

describe('a server', () => {
  const ok = { status: 'ok', role: 'replica' }
  const lost = { status: 'unreachable: connection refused', role: 'replica' }

  it.each<Case>([
    [
      'lost, a replica',
      ok,
      lost,
      'ERROR CLUSTER: replica 10.0.0.7: status changed from ok to unreachable: connection refused; one copy less is ' +
        'kept current, and writes go on only while a replica is left',
    ],
    [
      'lost, the master',
      { ...ok, role: 'master' },
      { ...lost, role: 'master' },
      'ERROR CLUSTER: master 10.0.0.7: status changed from ok to unreachable: connection refused; a replica takes over ' +
        'if two servers are left, and agents keep their data until then',
    ],
    [
      'back',
      lost,
      ok,
      'INFO CLUSTER: replica 10.0.0.7: status changed from unreachable: connection refused to ok (over)',
    ],
    [
      'copying',
      ok,
      { ...ok, status: 'syncing 12%' },
      'WARNING CLUSTER: replica 10.0.0.7: status changed from ok to syncing 12%',
    ],
    ['copying on', { ...ok, status: 'syncing 12%' }, { ...ok, status: 'syncing 80%' }, undefined],
    ['coming back', lost, { ...ok, status: 'syncing 12%' }, undefined],
    [
      'copied and lost again',
      { ...ok, status: 'syncing 12%' },
      { ...ok, status: 'link down' },
      'ERROR CLUSTER: replica 10.0.0.7: status changed from syncing 12% to link down; one copy less is kept current, ' +
        'and writes go on only while a replica is left',
    ],
    [
      'without a quorum',
      ok,
      { ...ok, status: 'no quorum' },
      'CRITICAL CLUSTER: replica 10.0.0.7: status changed from ok to no quorum: its Sentinel reaches no majority, so a ' +
        'lost master may not be replaced until it does',
    ],
    [
      'replaced',
      lost,
      undefined,
      'INFO CLUSTER: replica 10.0.0.7 left the cluster; it was unreachable: connection refused (over)',
    ],
    ['new', undefined, lost, undefined],
    ['not judged for a moment', ok, { status: 'unknown', role: 'unknown' }, undefined],
    ['in another role', ok, { ...ok, role: 'master' }, undefined],
  ])('%s', (_, before, after, told) => {
    expect(line(happeningOfCluster(changeOf('server 10.0.0.7', before, after)))).toBe(told)
  })
})

describe('writes', () => {
  const taken = { taken: true, reason: '', since: 1_000_000 }
  const stopped = { taken: false, reason: 'no replica is connected', since: 1_100_000 }

  it.each<Case>([
    [
      'stopped',
      taken,
      stopped,
      'CRITICAL CLUSTER: writes have stopped: no replica is connected; agents keep their data and send it when writes ' +
        'are taken again',
    ],
    [
      'taken again',
      stopped,
      { ...taken, since: 1_165_000 },
      'INFO CLUSTER: writes are taken again after 1m:5s without; agents send what they kept (over)',
    ],
    [
      'taken again, nobody knows since when',
      { taken: false },
      { taken: true },
      'INFO CLUSTER: writes are taken again; agents send what they kept (over)',
    ],
    ['stopped for another reason', stopped, { ...stopped, reason: 'disk full' }, undefined],
    ['of the first reading', undefined, stopped, undefined],
    ['in a row of wrong types', { taken: 'yes' }, { taken: 'no' }, undefined],
  ])('%s', (_, before, after, told) => {
    expect(line(happeningOfCluster(changeOf('writes', before, after)))).toBe(told)
  })
})

describe('room', () => {
  const ok = { state: 'ok', detail: '40 % used' }
  const low = { state: 'low', detail: '91 % used' }

  it.each([
    [
      'memory',
      ok,
      low,
      'WARNING CLUSTER: server 10.0.0.5: memory changed from ok to low (91 % used); when it is full, no write is taken; until then only the history is shortened',
    ],
    [
      'disk',
      ok,
      low,
      'ERROR CLUSTER: server 10.0.0.5: disk changed from ok to low (91 % used); when it is full, no write is taken: free some, or add to it',
    ],
    ['disk', low, ok, 'INFO CLUSTER: server 10.0.0.5: disk changed from low to ok (40 % used) (over)'],
    ['disk', low, { ...low, detail: '93 % used' }, undefined],
  ])('%s %j %j', (kind, before, after, told) => {
    expect(line(happeningOfCluster(changeOf(`${kind} 10.0.0.5`, before, after)))).toBe(told)
  })
})

it('whatever a row has in it, a change is one line or nothing', () => {
  const text = fc.string({ unit: 'binary' })
  const key = fc.oneof(
    text,
    fc.constantFrom('master', 'server 10.0.0.5', 'writes', 'memory 10.0.0.5', 'server\n'),
  )
  const field = fc.constantFrom(
    'status',
    'role',
    'reason',
    'master',
    'why',
    'gapMs',
    'taken',
    'since',
    'state',
    'detail',
  )
  const value = fc.oneof(text, fc.jsonValue(), fc.constantFrom('ok', 'low', 'Fresh', 'Rotten', true, false))
  const row = fc.option(fc.dictionary(field, value) as fc.Arbitrary<Row>, { nil: undefined })
  fc.assert(
    fc.property(key, row, row, (name, before, after) => {
      for (const happening of [happeningOfAgent, happeningOfCluster]) {
        const happened = happening(changeOf(name, before, after))
        if (!happened) continue
        expect(happened.message).not.toMatch(/[\x00-\x1f\x7f-\x9f]/)
        expect(happened.message.length).toBeLessThan(1000)
      }
    }),
    { numRuns: 1000 },
  )
})
