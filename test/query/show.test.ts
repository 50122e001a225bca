import { describe, expect, it } from 'vitest'
import type { ShowRequest } from '../../src/api/types.ts'
import { BadRequest, show } from '../../src/query/show.ts'
import { tableNamed } from '../../src/tables/index.ts'
import type { Row } from '../../src/tables/table.ts'
import { captured, handwritten } from '../tables/fixtures.ts'
import { agent, FakeReader, HOUR, healthy, NOW, SECOND, stored } from './fake-reader.ts'

const interfaces = tableNamed('link')!.parse([handwritten('addr'), handwritten('vlan')])
const uplinks = interfaces.filter((row) => ['swp1', 'swp2', 'swp10'].includes(String(row.interface)))

function rowsOf(hostname: string, rows: readonly Row[] = uplinks, agentTime?: number, serverTime?: number) {
  return rows.map((row) => stored(hostname, row, agentTime, serverTime))
}

function request(changed: Partial<ShowRequest> = {}): ShowRequest {
  return { table: 'link', show: 0, args: {}, ...changed }
}

async function text(reader: FakeReader, changed: Partial<ShowRequest> = {}, now = NOW): Promise<string> {
  const answer = await show(request(changed), reader, now)
  expect(answer.type).toBe('text')
  return answer.body
}

async function json(reader: FakeReader, changed: Partial<ShowRequest> = {}, now = NOW) {
  const answer = await show(request({ ...changed, args: { ...changed.args, json: true } }), reader, now)
  expect(answer.type).toBe('json')
  return JSON.parse(answer.body)
}

const fabric = () =>
  new FakeReader([agent('leaf10'), agent('leaf2'), agent('spine01')], {
    link: [...rowsOf('spine01'), ...rowsOf('leaf10'), ...rowsOf('leaf2')],
  })

describe('show', () => {
  it('prints a table in natural order of hosts and interfaces', async () => {
    expect(await text(fabric(), { hostname: 'leaf*' })).toBe(
      [
        'Matching link records:',
        'Hostname    Interface    Type    State    VRF      Details                    Last Changed',
        '----------  -----------  ------  -------  -------  -------------------------  --------------',
        'leaf2       swp1         swp     up       default  Master: bond01, MTU: 9000  1h:0m:0s',
        'leaf2       swp2         swp     down     default  Admin: down, MTU: 1500     1h:0m:0s',
        'leaf2       swp10        swp     down     default  Master: bond01, MTU: 9000  1h:0m:0s',
        'leaf10      swp1         swp     up       default  Master: bond01, MTU: 9000  1h:0m:0s',
        'leaf10      swp2         swp     down     default  Admin: down, MTU: 1500     1h:0m:0s',
        'leaf10      swp10        swp     down     default  Master: bond01, MTU: 9000  1h:0m:0s',
        '',
      ].join('\n'),
    )
  })

  it('shows the other rows when a row has not what its table says', async () => {
    const reader = new FakeReader([agent('leaf01')], {
      link: [stored('leaf01', { interface: 'swp1', members: 5, vlans: null }), ...rowsOf('leaf01')],
    })
    const lines = (await text(reader)).split('\n')
    expect(lines.find((line) => line.includes('swp2'))).toContain('Admin: down, MTU: 1500')
    expect(lines.filter((line) => / \? /.test(line))).toHaveLength(1)
    expect((await json(reader)).link).toHaveLength(4)
  })

  it('reads only the rows of the hosts that were asked for', async () => {
    const reader = fabric()
    await text(reader, { hostname: 'leaf2' })
    expect(reader.asked).toEqual(['leaf2'])
  })

  it('counts', async () => {
    expect(await text(fabric(), { args: { count: true } })).toBe('Count of matching link records: 9\n')
    expect(await json(fabric(), { args: { count: true, state: 'up' } })).toEqual({
      count: 3,
      truncatedResult: false,
    })
  })

  it('says that nothing was found, and whether there is such a host at all', async () => {
    expect(await text(fabric(), { args: { state: 'dormant' } })).toBe('No matching link records found\n')
    expect(await text(fabric(), { hostname: 'leaf3' })).toBe(
      'UNKNOWN: no agent called leaf3 has ever reported to these servers.\nNo matching link records found\n',
    )
  })

  it('gives JSON with what is on the screen, times in seconds', async () => {
    const answer = await json(fabric(), { hostname: 'leaf2', args: { 'remote-interface': 'swp2' } })
    expect(answer).toEqual({
      link: [
        {
          hostname: 'leaf2',
          ...uplinks.find((row) => row.interface === 'swp2'),
          details: 'Admin: down, MTU: 1500',
          lastChanged: (NOW - HOUR) / 1000,
        },
      ],
      truncatedResult: false,
    })
  })

  it('refuses in one sentence what it cannot answer', async () => {
    await expect(show(request({ table: 'ospf' }), fabric(), NOW)).rejects.toThrow(BadRequest)
    await expect(show(request({ show: 9 }), fabric(), NOW)).rejects.toThrow('are of different versions')
    const wrong = request({ table: 'address', args: { ip: '10.0.0.300' } })
    await expect(show(wrong, fabric(), NOW)).rejects.toThrow('"10.0.0.300" is not an IPv4 address')
  })

  it('answers for 200,000 rows of 100 hosts within seconds', async () => {
    const routes = tableNamed('route')!.parse([captured('route4'), '[]', captured('addr')])
    const hosts = Array.from({ length: 100 }, (_, i) => `leaf${i}`)
    const rows = hosts.flatMap((host) =>
      Array.from({ length: 2000 }, (_, i) =>
        stored(host, { ...routes[i % routes.length], prefix: `10.${i >> 8}.${i & 255}.0/24` }),
      ),
    )
    const reader = new FakeReader(
      hosts.map((host) => agent(host)),
      { route: rows },
    )
    const start = performance.now()
    const all = await text(reader, { table: 'route' })
    expect(all.split('\n')).toHaveLength(200_004)
    expect(performance.now() - start).toBeLessThan(15_000)
  })
})

describe('Last Changed', () => {
  const ages = async (skew: number, agentTime: number, serverTime: number) => {
    const reader = new FakeReader([agent('leaf01', { skew })], {
      link: rowsOf('leaf01', uplinks.slice(0, 1), agentTime, serverTime),
    })
    return (await text(reader)).trimEnd().split('\n').at(-1)!.split('  ').at(-1)!.trim()
  }

  it('is when it happened, not when the servers were told after an outage', async () => {
    expect(await ages(0, NOW - HOUR, NOW - SECOND)).toBe('1h:0m:0s')
  })

  it('is corrected where the clock of the agent is wrong', async () => {
    expect(await ages(2 * HOUR, NOW - 2 * HOUR - 60 * SECOND, NOW - 60 * SECOND)).toBe('1m:0s')
    expect(await ages(-2 * HOUR, NOW + 2 * HOUR - 60 * SECOND, NOW - 59 * SECOND)).toBe('1m:0s')
  })

  it('is never later than when the servers were told', async () => {
    expect(await ages(-3 * SECOND, NOW + 2 * SECOND, NOW - 30 * SECOND)).toBe('30s')
  })
})

describe('what an operator must know before believing the answer', () => {
  it('says first that this copy is stale, and how old it is', async () => {
    const stale = { ...healthy, markerTime: NOW - 850 * SECOND }
    const reader = new FakeReader(
      [agent('leaf01', { seen: NOW - 860 * SECOND })],
      { link: rowsOf('leaf01') },
      stale,
    )
    const [first, second] = (await text(reader)).split('\n')
    expect(first).toContain('STALE: this is as of 14m:10s ago')
    expect(second).toBe('Matching link records:')
    expect(await json(reader)).toMatchObject({ staleSeconds: 850, notes: [first] })
    expect((await text(reader, { args: { count: true } })).split('\n')[0]).toBe(first)
  })

  it('does not take a server that never had a copy for an empty network', async () => {
    const reader = new FakeReader([], {}, { markerTime: 0, writableSince: 0 })
    expect(await text(reader)).toMatch(
      /^STALE: this server has never had the master's data;.*\nNo matching link/,
    )
    expect(await json(reader)).toMatchObject({ staleSeconds: null })
  })

  it('says that its own clock is behind', async () => {
    const reader = new FakeReader([agent('leaf01')], {}, { ...healthy, markerTime: NOW + 65 * SECOND })
    expect(await text(reader)).toContain("CLOCK: this server's clock is 1m:5s behind the master's")
  })

  it("names the hosts whose rows are from before their agent's silence", async () => {
    const rotten = ['leaf1', 'leaf2', 'leaf3', 'leaf4', 'leaf5', 'leaf6'].map((name) =>
      agent(name, { seen: NOW - 850 * SECOND }),
    )
    const reader = new FakeReader([...rotten, agent('leaf7')], { link: rowsOf('leaf7') })
    expect((await text(reader)).split('\n')[0]).toBe(
      'ROTTEN: not heard from leaf1 (14m:10s), leaf2 (14m:10s), leaf3 (14m:10s), leaf4 (14m:10s), leaf5 (14m:10s), ' +
        'and 1 more; what is shown of them is from before.',
    )
    expect(await text(reader, { hostname: 'leaf7' })).toMatch(/^Matching link records:/)
    expect(await json(reader, { hostname: 'leaf7' })).not.toHaveProperty('notes')
  })

  it('warns of wrong clocks', async () => {
    const reader = new FakeReader([agent('leaf01', { skew: 6 * SECOND }), agent('leaf02', { skew: -HOUR })])
    for (const table of ['agents', 'link'])
      expect(await text(reader, { table })).toMatch(
        /^CLOCK: wrong on leaf01 \(6s behind\), leaf02 \(1h:0m:0s ahead\); the times shown are corrected/,
      )
    expect(await text(new FakeReader([agent('leaf01', { skew: 5 * SECOND })]))).not.toContain('CLOCK')
  })
})

describe('show agents', () => {
  const reader = new FakeReader([
    agent('leaf01'),
    agent('leaf02', { seen: NOW - HOUR }, { ntpSync: false }),
    agent('leaf03', { initialized: 0 }, { version: '', systemStart: 0, agentStart: 0 }),
  ])

  it('prints who is heard, with the uptimes as of then', async () => {
    expect(await text(reader, { table: 'agents' })).toBe(
      [
        'Matching agents records:',
        'Hostname    Status    NTP Sync    Version    Sys Uptime    Agent Uptime    Reinitialize Time    Last Changed',
        '----------  --------  ----------  ---------  ------------  --------------  -------------------  --------------',
        'leaf01      Fresh     yes         0.1.0      3h:0m:0s      2h:0m:0s        2h:0m:0s             10s',
        'leaf02      Rotten    no          0.1.0      2h:0m:0s      1h:0m:0s        1h:0m:0s             1h:0m:0s',
        'leaf03      Fresh     yes         -          -             -               -                    10s',
        '',
      ].join('\n'),
    )
  })

  it('can be narrowed, counted and had as JSON with the reason', async () => {
    expect(await text(reader, { table: 'agents', args: { count: true }, hostname: 'leaf0[12]' })).toBe(
      'Count of matching agents records: 2\n',
    )
    const { agents } = await json(reader, { table: 'agents', hostname: 'leaf02' })
    expect(agents).toEqual([
      {
        hostname: 'leaf02',
        status: 'Rotten',
        reason: 'not heard for 1h:0m:0s',
        ntpSync: 'no',
        version: '0.1.0',
        sysUptime: (NOW - 3 * HOUR) / 1000,
        agentUptime: (NOW - 2 * HOUR) / 1000,
        reinitializeTime: (NOW - 2 * HOUR) / 1000,
        skew: 0.04,
        spooledBatches: 0,
        spooledBytes: 0,
        lastChanged: (NOW - HOUR) / 1000,
      },
    ])
  })

  it('calls nobody rotten after an outage of the servers, and says why', async () => {
    const after = { ...healthy, writableSince: NOW - 20 * SECOND }
    const waiting = new FakeReader([agent('leaf01', { seen: NOW - 600 * SECOND })], {}, after)
    expect(await text(waiting, { table: 'agents' })).toMatch(
      /^WAITING: not heard from leaf01 \(10m:0s\), but the servers can take data again only for 20s;[\s\S]*leaf01 +Waiting/,
    )
  })

  it('says unknown where the kernel cannot tell whether the clock is synchronised', async () => {
    const { ntpSync: _, ...info } = agent('leaf01').info
    expect(await text(new FakeReader([agent('leaf01', { info })]), { table: 'agents' })).toMatch(
      /Fresh +unknown/,
    )
  })
})
