import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { tableNamed } from '../../src/tables/index.ts'
import { captured, handwritten } from './fixtures.ts'

/** Runs a table's scripts as the agent does; with `programs` they find those and no others, and `frr` for FRR's folder. */
function rowsOf(name: string, programs?: Record<string, string>, frr = '/nonexistent') {
  const table = tableNamed(name)!
  const outputs = table.sources.map(({ argv }) => {
    const path = programs ? folderOf(programs) : process.env.PATH
    const shell = programs ? '/bin/sh' : argv[0]!
    const args = programs ? argv.slice(1).map((text) => text.replaceAll('/run/frr', frr)) : argv.slice(1)
    const { stdout, status } = spawnSync(shell, args, { env: { LC_ALL: 'C', PATH: path } })
    expect(status).toBe(0)
    return stdout.toString()
  })
  return table.parse(outputs)
}

function folderOf(programs: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'tables-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  for (const [name, body] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`)
    chmodSync(join(folder, name), 0o755)
  }
  return folder
}

const printing = (text: string) => `while read -r line; do echo "$line"; done <<'END'\n${text}\nEND`

describe('on this machine, whatever it has', () => {
  it.each(['bgp', 'services', 'sensors', 'ntp', 'port'])('%s is read', (name) => {
    const table = tableNamed(name)!
    for (const row of rowsOf(name)) expect(Object.keys(row)).toEqual(table.fields)
  })
})

describe('BGP sessions', () => {
  it('are what vtysh says of bgpd', () => {
    expect(rowsOf('bgp', { vtysh: printing(captured('bgp')) })).toHaveLength(5)
  })

  it('are gone with bgpd, and none without FRR', () => {
    const dead = 'echo "Exiting: failed to connect to any daemons." >&2; exit 1'
    expect(rowsOf('bgp', { vtysh: dead })).toEqual([])
    expect(rowsOf('bgp', {})).toEqual([])
  })

  it('are not asked for where bgpd has no socket', () => {
    expect(rowsOf('bgp', { vtysh: printing(captured('bgp')) }, tmpdir())).toEqual([])
  })
})

describe('the clock', () => {
  const chronyc = printing(captured('chrony-sync.txt').trim())
  const ntpq = printing(
    handwritten('ntpq.txt')
      .replace(/^ntp\n/, '')
      .trimEnd(),
  )
  const dead = 'echo "506 Cannot talk to daemon" >&2; exit 1'

  it.each([
    ['chrony', { chronyc }, { ntpApp: 'chrony', ntpSync: 'yes' }],
    ['ntpd, with a chrony that does not run', { chronyc: dead, ntpq }, { ntpApp: 'ntp', ntpSync: 'yes' }],
    ['chrony, which does not run', { chronyc: dead }, { ntpApp: 'chrony', ntpSync: 'no' }],
    ['ntpd, which does not run', { ntpq: 'exit 0' }, { ntpApp: 'ntp', ntpSync: 'no' }],
  ])('is kept by %s', (_, programs, row) => {
    expect(rowsOf('ntp', programs as Record<string, string>)).toMatchObject([row])
  })
})
