import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readNetqConfig } from '../../src/config/netq-yml.ts'
import { writeAgentServers, writeAgentStats } from '../../src/config/netq-yml-edit.ts'
import { ConfigMistakes } from '../../src/config/yml-file.ts'
import { type Paths, pathsUnder } from '../../src/platform/paths.ts'

let paths: Paths
beforeEach(() => {
  paths = pathsUnder(mkdtempSync(join(tmpdir(), 'yml-')))
})
afterEach(() => rmSync(paths.root, { recursive: true }))

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
const read = () => readFileSync(paths.netqConfig, 'utf8')
const fragment = (name: string) => join(paths.netqConfigFolder, name)

async function mistakes(): Promise<readonly string[]> {
  const error = await readNetqConfig(paths).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ConfigMistakes)
  return (error as ConfigMistakes).mistakes
}

/** The sections beside the agent's, where nothing is said. */
const others = {
  stats: { retentionDays: 30 },
  backup: { intervalMs: 300_000, on: 'all', keep: 48, maxAgeMs: 7 * 24 * 3_600_000 },
}

const defaults = {
  servers: ['127.0.0.1'],
  port: 6379,
  vrf: 'default',
  heartbeatSeconds: 30,
  logLevel: 'info',
  stats: false,
}

describe('reading netq.yml', () => {
  it.each([
    ['no file', undefined],
    ['an empty file', ''],
    ['only comments', '# nothing yet\n'],
    ['an empty section', 'netq-agent:\n'],
  ])('%s: the defaults', async (_what, text) => {
    if (text !== undefined) write(paths.netqConfig, text)
    expect(await readNetqConfig(paths)).toEqual({ agent: defaults, ...others })
  })

  it('a key of a later file of config.d takes the place of an earlier one', async () => {
    write(paths.netqConfig, 'netq-agent:\n  servers: [10.0.0.5]\n  port: 2000\n  hostname: leaf01\n')
    write(fragment('20-later.yml'), 'netq-agent:\n  port: 4000\n')
    write(fragment('10-first.yml'), 'netq-agent:\n  port: 3000\n  vrf: mgmt\n  log_level: debug\n')
    write(fragment('not-read.yml.bak'), 'netq-agent: [')
    expect(await readNetqConfig(paths)).toEqual({
      agent: {
        ...defaults,
        servers: ['10.0.0.5'],
        port: 4000,
        vrf: 'mgmt',
        logLevel: 'debug',
        hostname: 'leaf01',
      },
      ...others,
    })
  })

  it('tells all mistakes of all files together, with their lines', async () => {
    write(
      paths.netqConfig,
      [
        '# a comment',
        'netq-agent:',
        '  servers:',
        '    - 10.0.0.5',
        '    - ts02',
        '  port: 80',
        '  verf: mgmt',
        'netq-agnet: {}',
        '',
      ].join('\n'),
    )
    write(fragment('more.yml'), 'netq-agent:\n  heartbeat_seconds: soon\n  log_level: loud\n')
    expect(await mistakes()).toEqual([
      `${paths.netqConfig}, line 3: \`servers\`: ts02 is not an IPv4 address. You cannot use DNS names here`,
      `${paths.netqConfig}, line 6: \`port\` must be a whole number from 1025 to 65535`,
      `${paths.netqConfig}, line 7: the key \`verf\` is not known (known: servers, port, vrf, heartbeat_seconds, log_level, hostname, stats)`,
      `${paths.netqConfig}, line 8: the key \`netq-agnet\` is not known (known: netq-agent, netq-notifier, notifier-integrations, notifier-filters, notifier-silences, netq-stats, netq-backup)`,
      `${fragment('more.yml')}, line 2: \`heartbeat_seconds\` must be a whole number from 1 to 300`,
      `${fragment('more.yml')}, line 3: \`log_level\` must be one of debug, info, warning, error`,
    ])
  })

  it('takes how long statistics are kept, in days or weeks', async () => {
    write(paths.netqConfig, 'netq-stats: {retention: 2w}\nnetq-agent: {stats: true}\n')
    expect(await readNetqConfig(paths)).toMatchObject({
      agent: { stats: true },
      stats: { retentionDays: 14 },
    })
    write(paths.netqConfig, 'netq-stats:\n  retention: 0d\n')
    expect(await mistakes()).toEqual([
      `${paths.netqConfig}, line 2: \`retention\` must be a time from 1d to 9999d or 1w to 999w, such as 30d`,
    ])
  })

  it('turns the statistics of the agent on and off, and leaves the rest as it was', async () => {
    const text = 'netq-agent:\n  # ours\n  servers:\n    - 10.0.0.5\n'
    write(paths.netqConfig, text)
    expect(await writeAgentStats(paths, true)).toBe(true)
    expect(await writeAgentStats(paths, true)).toBe(false)
    expect((await readNetqConfig(paths)).agent).toMatchObject({ servers: ['10.0.0.5'], stats: true })
    expect(await writeAgentStats(paths, false)).toBe(true)
    expect(read()).toBe(text)
  })

  it('leaves the sections of the notifier to the notifier, and wants them in netq.yml', async () => {
    write(paths.netqConfig, 'netq-agent:\n  port: 2000\nnotifier-filters: [not looked into]\n')
    expect((await readNetqConfig(paths)).agent.port).toBe(2000)
    write(fragment('slack.yml'), 'netq-agent:\n  port: 3000\nnotifier-integrations: []\n')
    expect(await mistakes()).toEqual([
      `${fragment('slack.yml')}, line 3: \`notifier-integrations\` is read from ${paths.netqConfig} only: move it there`,
    ])
  })

  it.each([
    ['a: *b\n', 'line 1: not valid YAML (Unresolved alias'],
    ['netq-agent:\n  servers: [10.0.0.5\n', 'line 3: not valid YAML'],
    ['netq-agent:\n  port: 2000\n  port: 3000\n', 'line 3: not valid YAML (Map keys must be unique)'],
    ['- netq-agent\n', 'line 1: a section such as `netq-agent:` is expected'],
    ['netq-agent: [1]\n', 'line 1: `netq-agent` must be a section of keys'],
    ['netq-agent:\n  servers: 10.0.0.5\n', 'line 2: `servers` must be a list of IPv4 addresses'],
    ['netq-agent:\n  servers: [10.0.0.5, 7]\n', 'line 2:'],
    ['netq-agent:\n  port: 2000.5\n', 'line 2: `port` must be a whole number from 1025 to 65535'],
    ['netq-agent:\n  hostname: "a b"\n', 'line 2: `hostname` must be letters, digits, dots, dashes'],
    ['netq-agent:\n  vrf: a-name-that-is-too-long\n', 'line 2: `vrf` must be the name of a VRF'],
  ])('%j', async (text, mistake) => {
    write(paths.netqConfig, text)
    const found = await mistakes()
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(`${paths.netqConfig}, ${mistake}`)
  })
})

describe('writing the servers', () => {
  it('makes the file where there is none', async () => {
    expect(await writeAgentServers(paths, { servers: ['10.0.0.5'], port: 6380 })).toBe(true)
    expect(read()).toBe('netq-agent:\n  servers:\n    - 10.0.0.5\n  port: 6380\n')
  })

  it('keeps comments and other keys, the mode of the file, and a symbolic link to it', async () => {
    const real = join(paths.root, 'elsewhere.yml')
    write(
      real,
      [
        '# kept by hand: ask the NOC first',
        'netq-agent:',
        '  hostname: leaf01 # as in DNS',
        '  servers: [10.0.0.9]',
        '  port: 4000',
        '  # why debug',
        '  log_level: debug',
        'other-tool:',
        '  key:   value',
        '',
      ].join('\n'),
    )
    chmodSync(real, 0o600)
    mkdirSync(dirname(paths.netqConfig), { recursive: true })
    symlinkSync(real, paths.netqConfig)
    await writeAgentServers(paths, { servers: ['10.0.0.5', '10.0.0.6', '10.0.0.7'], vrf: 'mgmt' })
    expect(readFileSync(real, 'utf8')).toBe(
      [
        '# kept by hand: ask the NOC first',
        'netq-agent:',
        '  hostname: leaf01 # as in DNS',
        '  servers:',
        '    - 10.0.0.5',
        '    - 10.0.0.6',
        '    - 10.0.0.7',
        '  # why debug',
        '  log_level: debug',
        '  vrf: mgmt',
        'other-tool:',
        '  key: value',
        '',
      ].join('\n'),
    )
    expect(statSync(real).mode & 0o777).toBe(0o600)
  })

  it('keeps a file of comments', async () => {
    write(paths.netqConfig, '# how to fill this in: see the wiki\n')
    await writeAgentServers(paths, { servers: ['10.0.0.5'] })
    expect(read()).toBe('# how to fill this in: see the wiki\n\nnetq-agent:\n  servers:\n    - 10.0.0.5\n')
  })

  it('takes the servers out again', async () => {
    write(paths.netqConfig, 'netq-agent:\n  servers: [10.0.0.5]\n  port: 2000\n  hostname: leaf01\n')
    expect(await writeAgentServers(paths, {})).toBe(true)
    expect(read()).toBe('netq-agent:\n  hostname: leaf01\n')
    expect(await writeAgentServers(paths, {})).toBe(false)
  })

  it.each(['netq-agent:\n  servers: [10.0.0.5\n', 'netq-agent: yes please\n', '- a list\n'])(
    'leaves %j as it is',
    async (text) => {
      write(paths.netqConfig, text)
      await expect(writeAgentServers(paths, { servers: ['10.0.0.5'] })).rejects.toBeInstanceOf(ConfigMistakes)
      expect(read()).toBe(text)
    },
  )
})
