import { describe, expect, test } from 'vitest'
import type { ClusterView } from '../../src/api/types.ts'
import { Alarm, whyNoWrites } from '../../src/notifier/alarm.ts'
import { type Look, Observer } from '../../src/notifier/observer.ts'
import { statusOf } from '../../src/query/freshness.ts'
import { agent, healthy, NOW, SECOND } from '../query/fake-reader.ts'

const room = { memoryUsed: 10, memoryMax: 100, diskFree: 50, diskTotal: 100 }
const server = (ip: string, role: string, status = 'ok', more = {}) => ({
  server: ip,
  role,
  status,
  room: { ...room, ...more },
})
const view = (...servers: ClusterView['servers']): ClusterView => ({
  self: '10.0.0.5',
  formed: true,
  servers,
})
const good = view(server('10.0.0.5', 'master'), server('10.0.0.6', 'replica'), server('10.0.0.7', 'replica'))
const look = (changed: Partial<Look> = {}): Look => ({
  agents: [],
  health: healthy,
  view: good,
  now: NOW,
  ...changed,
})

/** An observer, and the store as it keeps what is observed. */
function observing() {
  const observer = new Observer(statusOf)
  const observed: Record<string, string> = {}
  return (changed: Partial<Look> = {}) => {
    const rows = observer.differing(look(changed), observed)
    for (const { table, host, key, row } of rows) {
      if (row) observed[`${table}\t${host}\t${key}`] = JSON.stringify(row)
      else delete observed[`${table}\t${host}\t${key}`]
    }
    return rows.map(({ key, row }) => `${key} ${row ? JSON.stringify(row) : 'gone'}`)
  }
}

describe('what is observed', () => {
  test('an agent that falls silent, and one that is removed', () => {
    const at = observing()
    const of = (rows: string[]) => rows.filter((row) => row.startsWith('leaf'))
    at({ agents: [agent('leaf01'), agent('leaf02')] })
    expect(of(at({ agents: [agent('leaf01', { seen: NOW - 91 * SECOND })] }))).toEqual([
      'leaf02 gone',
      expect.stringContaining('leaf01 {"status":"Rotten"'),
    ])
    expect(of(at({ agents: [agent('leaf01', { seen: NOW - 92 * SECOND })] }))).toEqual([])
  })

  test('a status that does not last for two looks is nothing', () => {
    const at = observing()
    at()
    at()
    const lost = view(
      server('10.0.0.5', 'master'),
      server('10.0.0.6', 'replica', 'link down'),
      server('10.0.0.7', 'replica'),
    )
    expect(at({ view: lost })).toEqual([])
    expect(at()).toEqual([])
    expect(at({ view: lost })).toEqual([])
    expect(at({ view: lost })).toEqual(['server 10.0.0.6 {"status":"link down","role":"replica"}'])
    expect(at({ view: lost })).toEqual([])
  })

  test('what changes by itself in a status is left out', () => {
    const at = observing()
    const of = (status: string) => view(server('10.0.0.6', 'replica', status))
    const same = of('unreachable: no answer within 1.2 s')
    at({ view: same })
    expect(at({ view: same })).toContain('server 10.0.0.6 {"status":"unreachable","role":"replica"}')
  })

  test('room that is low is ok again only when there is clearly more', () => {
    const at = observing()
    const of = (diskFree: number) => view(server('10.0.0.5', 'master', 'ok', { diskFree }))
    const disk = (diskFree: number) => at({ view: of(diskFree) }).filter((row) => row.startsWith('disk'))
    expect(disk(50)).toEqual(['disk 10.0.0.5 {"state":"ok","detail":"50 % free"}'])
    expect(disk(49)).toEqual([])
    expect(disk(9)).toEqual(['disk 10.0.0.5 {"state":"low","detail":"9 % free"}'])
    expect(disk(12)).toEqual([])
    expect(disk(20)).toEqual(['disk 10.0.0.5 {"state":"ok","detail":"20 % free"}'])
  })

  test('a change of master once, also when its gap is known less well later', () => {
    const at = observing()
    const change = { time: NOW - 5000, to: '10.0.0.6', why: 'failover: the master was lost', gap: 1800 }
    const master = (gap: number) =>
      at({ view: { ...good, lastChange: { ...change, gap } } }).filter((row) => row.startsWith('master'))
    expect(master(1800)).toHaveLength(1)
    expect(master(2500)).toEqual([])
  })
})

describe('the alarm', () => {
  const stop = whyNoWrites(view(server('10.0.0.5', 'master', 'no writes: no replica')))

  test('says why nothing can be written, and nothing while a master takes writes or HA is off', () => {
    expect(stop).toBe('10.0.0.5: no writes: no replica')
    expect(whyNoWrites(view(server('10.0.0.6', 'replica')))).toBe(
      'no server is the master, or it does not answer',
    )
    expect(whyNoWrites(good)).toBeUndefined()
    expect(whyNoWrites({ self: '10.0.0.5', formed: false, servers: [] })).toBeUndefined()
  })

  test('a failover is over before it is told; a stop that lasts is told once, and its end', () => {
    const alarm = new Alarm()
    expect(alarm.judge(stop, NOW, NOW)).toBeUndefined()
    expect(alarm.judge(undefined, NOW, NOW + 3000)).toBeUndefined()
    alarm.judge(stop, NOW, NOW + 10_000)
    const told = alarm.judge(stop, NOW, NOW + 19_000)
    expect(told).toMatchObject({ id: `writes-${NOW}`, severity: 'CRITICAL', recovers: false })
    expect(told?.message).toContain('writes have stopped: 10.0.0.5: no writes: no replica')
    expect(alarm.judge(stop, NOW, NOW + 60_000)).toBeUndefined()
    const end = alarm.judge(undefined, NOW + 61_000, NOW + 62_000)
    expect(end).toMatchObject({ id: `writes-${NOW}-end`, recovers: true, subject: told!.subject })
    expect(end?.message).toContain('1m:2s')
  })

  test('a process that was started anew in between tells the end only', () => {
    const alarm = new Alarm({ since: NOW, reason: stop! })
    expect(alarm.judge(stop, NOW, NOW + 20_000)).toBeUndefined()
    expect(alarm.judge(undefined, NOW, NOW + 30_000)).toMatchObject({ recovers: true })
  })
})
