import { describe, expect, it } from 'vitest'
import { services } from '../../src/tables/services.ts'
import type { StoredRow } from '../../src/tables/table.ts'
import { captured, screen } from './fixtures.ts'

/**
 * Captured from a Debian 12 that was booted with systemd-nspawn: chrony may not run in a container (it is enabled and
 * inactive), lldpd was disabled and killed, and so was ospfd, which watchfrr had not started again yet.
 */
const outputs = [captured('services.txt'), captured('frr-daemons.txt')]
const rows = services.parse(outputs)
const named = (name: string) => rows.find((row) => row.service === name)
const withoutPid = (line: string) => line.replace(/\| \d+ \|/, '| PID |').replace(/\| [^|]+$/, '')

function unit(values: Record<string, string>): string {
  const all = {
    Id: 'ssh.service',
    LoadState: 'loaded',
    UnitFileState: 'enabled',
    ActiveState: 'active',
    ...values,
  }
  return `${Object.entries(all)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')}\n\n`
}

describe('show services', () => {
  it('says of each whether it runs, and whether it should', () => {
    expect(screen(services.shows[0]!, rows).map(withoutPid)).toEqual([
      'bgpd | PID | default | yes | yes | yes | ok ',
      'chrony | - | default | yes | no | no | error ',
      'frr | PID | default | yes | yes | yes | ok ',
      'lldpd | - | default | no | no | no | fail ',
      'ospfd | - | default | yes | no | yes | fail ',
      'rsyslog | PID | default | yes | yes | no | ok ',
      'ssh | PID | default | yes | yes | yes | ok ',
      'staticd | PID | default | yes | yes | yes | ok ',
      'watchfrr | PID | default | yes | yes | no | ok ',
      'zebra | PID | default | yes | yes | yes | ok ',
    ])
  })

  it.each([
    [{ name: 'ssh' }, 1],
    [{ vrf: 'mgmt' }, 0],
    [{ active: true }, 7],
    [{ monitored: true }, 6],
    [{ status: true, fail: true }, 2],
    [{ status: true, error: true, name: 'chrony' }, 1],
  ])('narrowed by %j', (args, count) => {
    expect(screen(services.shows[0]!, rows, args)).toHaveLength(count)
  })

  it('counts the uptime from when the service started', () => {
    const row = services.parse([unit({ ActiveEnterTimestamp: 'Mon 2026-11-23 18:33:07 UTC' }), undefined])[0]!
    const stored: StoredRow = { hostname: 'leaf01', row, agentTime: 0, serverTime: 0 }
    const uptime = services.shows[0]!.columns.find(({ head }) => head === 'Uptime')!
    expect(uptime.cell(stored, Date.UTC(2026, 10, 23, 20, 34, 8))).toBe('2h:1m:1s')
  })
})

describe('services', () => {
  it.each([
    [{}, 'ok'],
    [{ ActiveState: 'activating', SubState: 'start-pre' }, 'warning'],
    [{ ActiveState: 'activating', SubState: 'auto-restart' }, 'error'],
    [{ ActiveState: 'inactive' }, 'error'],
    [{ ActiveState: 'inactive', UnitFileState: 'disabled' }, 'ok'],
    [{ ActiveState: 'failed', UnitFileState: 'disabled' }, 'fail'],
  ])('with %j are %s', (values, status) => {
    expect(services.parse([unit(values), undefined])[0]).toMatchObject({ status })
  })

  it('of a template are those of a VRF', () => {
    const output = unit({ Id: 'ntp@mgmt.service', UnitFileState: 'enabled' }) + unit({ Id: 'ntp.service' })
    expect(services.parse([output, undefined]).map(({ service, vrf }) => [service, vrf])).toEqual([
      ['ntp', 'default'],
      ['ntp', 'mgmt'],
    ])
  })

  it('that are not there, or masked, have no row', () => {
    const output = unit({ LoadState: 'not-found' }) + unit({ LoadState: 'masked' })
    expect(services.parse([output, 'bgpd=no\n'])).toEqual([])
    expect(services.parse(['', ''])).toEqual([])
  })

  it('of FRR that are configured and have no pid file do not run though they should', () => {
    expect(services.parse(['', 'bgpd=yes\nospfd=no\n'])).toMatchObject([{ service: 'bgpd', status: 'error' }])
  })

  it('do not run if their process is another program by now', () => {
    expect(named('ospfd')).toMatchObject({ pid: null, active: false, since: null })
  })

  it('are refused in one sentence if the output is something else', () => {
    expect(() => services.parse(['Failed to connect to bus\n', ''])).toThrow(
      /^"systemctl show" printed no unit of systemd/,
    )
    expect(() => services.parse(['', 'what?\n'])).toThrow(/^"the daemons of FRR" printed no daemon/)
  })
})
