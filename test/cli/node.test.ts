import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AgentStatus } from '../../src/api/types.ts'
import { replaceFile } from '../../src/platform/files.ts'
import { type Paths, pathsUnder } from '../../src/platform/paths.ts'
import { makeServices } from '../../src/platform/services.ts'
import { Program } from './program.ts'

let program: Program
let paths: Paths
beforeEach(async () => {
  program = await Program.make()
  paths = pathsUnder(program.root)
})
afterEach(async () => {
  for (const name of ['netq-agent', 'netqd'] as const) await makeServices(paths).stop(name)
  program.remove()
})

const netq = (...words: string[]) => program.run(words)
const written = () => readFileSync(paths.netqConfig, 'utf8')
const cluster = ['10.0.0.5', '10.0.0.6', '10.0.0.7'] as const

/** A service that does nothing but live, or what the code says. */
function service(name: string, code = 'setInterval(() => {}, 1000)'): void {
  program.write('package.json', '{"type": "module"}')
  program.write(`dist/${name}.js`, code)
}

/** An agent that says this of itself, and lives. */
function agentThatSays(status: Partial<AgentStatus>): void {
  const full = {
    updated: 0,
    state: 'connected',
    master: '10.0.0.5',
    since: 0,
    sentence: 'connected to 10.0.0.5',
    servers: cluster,
    tried: {},
    spooledBatches: 0,
    spooledBytes: 0,
    ...status,
  }
  service(
    'netq-agent',
    `import { mkdirSync, writeFileSync } from 'node:fs'
     const now = Date.now()
     const status = { pid: process.pid, ...${JSON.stringify(full)} }
     mkdirSync('${program.root}/run/netq', { recursive: true })
     writeFileSync('${paths.agentStatus}', JSON.stringify({ ...status, updated: now + status.updated, since: now + status.since }))
     setInterval(() => {}, 1000)`,
  )
}

describe('netq config add server', () => {
  it('writes the servers, and says when they count', async () => {
    expect(await netq('config', 'add', 'server', ...cluster)).toEqual({
      status: 0,
      out: 'netq-agent will use 10.0.0.5, 10.0.0.6, 10.0.0.7 after: netq config restart agent\n',
      err: '',
    })
    expect(written()).toBe('netq-agent:\n  servers:\n    - 10.0.0.5\n    - 10.0.0.6\n    - 10.0.0.7\n')
    expect(await netq('config', 'add', 'server', '10.0.0.9', 'vrf', 'mgmt', 'port', '6380')).toMatchObject({
      status: 0,
      out: 'netq-agent will use 10.0.0.9 port 6380 vrf mgmt after: netq config restart agent\n',
    })
    expect(await netq('config', 'del', 'server')).toMatchObject({
      status: 0,
      out: 'netq-agent will use 127.0.0.1 after: netq config restart agent\n',
    })
    expect((await netq('config', 'del', 'server')).out).toContain('names no server: nothing was changed.')
  })

  it('restarts a netqd that runs here', async () => {
    service('netqd')
    const services = makeServices(paths)
    const child = spawn(process.execPath, [`${program.folder}/dist/netqd.js`], { stdio: 'ignore' })
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
    replaceFile(`${paths.pids}/netqd`, stat)
    expect(await netq('config', 'add', 'server', ...cluster)).toEqual({
      status: 0,
      out: 'Restarting netqd... Success!\n',
      err: '',
    })
    expect((await services.running('netqd'))?.pid).not.toBe(child.pid)
  })

  it.each([
    [['ts01'], 'ts01 is not an IPv4 address. You cannot use DNS names here. Nothing was changed. Type: '],
    [['10.0.0.5', '10.0.0.6'], '2 addresses were given, and an agent reports to one server or to the three'],
    [['10.0.0.5', '10.0.0.5', '10.0.0.6'], '10.0.0.5 is given twice'],
    [['fe80::1'], 'fe80::1 is an IPv6 address, and only IPv4 addresses can be used here'],
    [
      [...cluster, 'port', '6380'],
      'the three servers of a cluster are always on port 6379. Nothing was changed.',
    ],
    [['10.0.0.5', 'vrf', 'a/b'], '"a/b" cannot be the name of a VRF. Nothing was changed.'],
  ])('%j is refused', async (words, sentence) => {
    const { status, out, err } = await netq('config', 'add', 'server', ...words)
    expect({ status, out }).toEqual({ status: 1, out: '' })
    expect(err).toContain(`netq: ${sentence}`)
    expect(existsSync(paths.netqConfig)).toBe(false)
  })

  it.each([
    [['10.0.0.5', 'port', '80'], '`80` is not a number from 1025 to 65535.'],
    [['10.0.0.5', 'port'], 'is not complete: <1025-65535> is missing.'],
    [[], '`config add server` is not complete: <server> is missing.'],
  ])('%j is not understood', async (words, sentence) => {
    const { status, err } = await netq('config', 'add', 'server', ...words)
    expect(status).toBe(2)
    expect(err).toContain(sentence)
    expect(err).toContain('  netq config add server <s1> <s2> <s3> [vrf <vrf>]\n')
  })

  it('leaves a broken file alone', async () => {
    program.write('root/etc/netq/netq.yml', 'netq-agent:\n  servers: [\n')
    const { status, err } = await netq('config', 'add', 'server', ...cluster)
    expect(status).toBe(1)
    expect(err).toMatch(
      /netq\.yml, line \d: not valid YAML .*\nNothing was changed\. Correct the file first\.\n$/,
    )
    expect(written()).toBe('netq-agent:\n  servers: [\n')
    expect((await netq('config', 'show', 'server')).err).toContain(
      'netq-agent cannot use its configuration:\n',
    )
  })

  it('says when the agent will refuse the rest of the file', async () => {
    program.write('root/etc/netq/netq.yml', 'netq-agent:\n  colour: blue\n')
    const { status, err } = await netq('config', 'add', 'server', ...cluster)
    expect(status).toBe(1)
    expect(err).toContain('The servers are written, but netq-agent will refuse its configuration:\n')
    expect(err).toContain('line 2: the key `colour` is not known')
    expect(written()).toContain('colour: blue')
  })

  it('says when another file has the last word', async () => {
    const other = program.write('root/etc/netq/config.d/site.yml', 'netq-agent: {servers: [10.9.9.9]}\n')
    const { status, out, err } = await netq('config', 'add', 'server', ...cluster)
    expect(status).toBe(1)
    expect(out).toBe('netq-agent will use 10.9.9.9 after: netq config restart agent\n')
    expect(err).toBe(`That is not what ${paths.netqConfig} says: ${other} overrides it. Change it there.\n`)
  })

  it('says when the file cannot be written', async () => {
    program.write('root/etc/netq', 'a file where a folder should be')
    const { status, err } = await netq('config', 'add', 'server', ...cluster)
    expect(status).toBe(1)
    expect(err).toMatch(/^netq: \S+netq\.yml cannot be written \(ENOTDIR.*\)\. Nothing was changed\.\n$/)
  })
})

describe('netq config add|del|show stats', () => {
  it('turns them on and off for the next start of the agent, and says which', async () => {
    for (const words of [['stats'], ['agent', 'stats']]) {
      expect(await netq('config', 'add', ...words)).toEqual({
        status: 0,
        out: 'Interface statistics will be collected after: netq config restart agent\n',
        err: '',
      })
      expect(written()).toContain('stats: true')
      expect((await netq('config', 'del', ...words)).out).toContain('will be left out after')
      expect(written()).not.toContain('stats')
    }
  })

  it('says what is configured, and what the running agent does', async () => {
    const shown = async () => (await netq('config', 'show', 'agent', 'stats')).out
    expect(await shown()).toBe('Interface statistics: off; to turn them on: netq config add stats\n')
    await netq('config', 'add', 'stats')
    expect(await shown()).toMatch(/configured, and not collected before: netq config restart agent/)
    agentThatSays({ stats: true })
    await netq('config', 'start', 'agent')
    expect(await shown()).toBe('Interface statistics: collected every 15 s\n')
    await netq('config', 'del', 'stats')
    expect(await shown()).toMatch(/collected until: netq config restart agent/)
  })
})

describe('netq config show server', () => {
  it('says so when no agent runs', async () => {
    await netq('config', 'add', 'server', ...cluster)
    expect(await netq('config', 'show', 'server')).toEqual({
      status: 0,
      out: [
        'Server    Port    Vrf      Status',
        '--------  ------  -------  -----------------',
        '10.0.0.5  6379    default  agent not running',
        '10.0.0.6  6379    default  agent not running',
        '10.0.0.7  6379    default  agent not running',
        '',
      ].join('\n'),
      err: '',
    })
  })

  it('says of each server what the running agent knows', async () => {
    await netq('config', 'add', 'server', ...cluster)
    agentThatSays({ tried: { '10.0.0.7': 'connection refused' }, spooledBatches: 2, spooledBytes: 512 })
    await netq('config', 'start', 'agent')
    const { out } = await netq('config', 'show', 'server')
    expect(out.split('\n').slice(2)).toEqual([
      '10.0.0.5  6379    default  connected (master)',
      '10.0.0.6  6379    default  not the master',
      '10.0.0.7  6379    default  connection refused',
      'In the spool, not yet on two servers: 2 batches, 512 bytes',
      '',
    ])
    const json = JSON.parse((await netq('config', 'show', 'server', 'json')).out)
    expect(json.servers[0]).toEqual({
      server: '10.0.0.5',
      port: 6379,
      vrf: 'default',
      status: 'connected (master)',
    })
    expect(json.agent).toMatchObject({ running: true, state: 'connected', spooledBatches: 2 })
  })

  it('says what is not so before a restart', async () => {
    await netq('config', 'add', 'server', '10.0.0.9')
    agentThatSays({ updated: -200_000 })
    await netq('config', 'start', 'agent')
    const { out } = await netq('config', 'show', 'server')
    expect(out).toContain('10.0.0.9  6379    default  not used now\n')
    expect(out).toContain(
      'netq-agent now uses 10.0.0.5, 10.0.0.6, 10.0.0.7 (connected to 10.0.0.5): the cluster named them, ' +
        'or the configuration is newer than the agent: netq config restart agent\n',
    )
    expect(out).toMatch(/netq-agent said this 3m:2\ds ago, and nothing since: it may hang\n/)
  })

  it('does not believe what an earlier agent has left', async () => {
    await netq('config', 'add', 'server', '10.0.0.5')
    agentThatSays({})
    await netq('config', 'start', 'agent')
    await netq('config', 'stop', 'agent')
    expect((await netq('config', 'show', 'server')).out).toContain('agent not running')
    service('netq-agent')
    await netq('config', 'start', 'agent')
    expect((await netq('config', 'show', 'server')).out).toContain(
      'not known: the agent has not said anything yet',
    )
  })

  it.each([
    [
      { state: 'refused', sentence: 'the disk of 10.0.0.5 is full' } as const,
      'refuses: the disk of 10.0.0.5 is full',
    ],
    [{ state: 'searching' } as const, 'not known: the agent is searching for the master'],
  ])('%j', async (status, cell) => {
    await netq('config', 'add', 'server', '10.0.0.5')
    agentThatSays(status)
    await netq('config', 'start', 'agent')
    expect((await netq('config', 'show', 'server')).out).toContain(`default  ${cell}\n`)
  })
})

describe('netq config (start|stop|status|restart) agent', () => {
  it('does it, and says how it went', async () => {
    agentThatSays({ since: -65_000, spooledBatches: 1, spooledBytes: 10 })
    expect(await netq('config', 'status', 'agent')).toMatchObject({
      status: 1,
      out: 'netq-agent is not running. To start it: netq config start agent\n',
    })
    expect(await netq('config', 'stop', 'agent')).toMatchObject({
      status: 0,
      out: 'netq-agent is not running.\n',
    })
    expect(await netq('config', 'restart', 'agent')).toEqual({
      status: 0,
      out: 'Restarting netq-agent... Success!\n',
      err: '',
    })
    const pid = (await makeServices(paths).running('netq-agent'))?.pid
    expect((await netq('config', 'start', 'agent')).out).toBe(`netq-agent is running already (pid ${pid}).\n`)
    expect((await netq('config', 'status', 'agent')).out).toMatch(
      new RegExp(
        `^netq-agent is running \\(pid ${pid}\\): connected to 10.0.0.5 \\(for 1m:\\d+s\\)\n` +
          'In the spool, not yet on two servers: 1 batch, 10 bytes\n$',
      ),
    )
    expect((await netq('config', 'stop', 'agent')).out).toBe('Stopping netq-agent... Success!\n')
    expect((await netq('config', 'start', 'agent')).out).toBe('Starting netq-agent... Success!\n')
  })

  it('an agent that ends at once is no success', async () => {
    service('netq-agent', 'process.exit(1)')
    const { status, out, err } = await netq('config', 'restart', 'agent')
    expect({ status, out }).toEqual({ status: 1, out: 'Restarting netq-agent... Failed!\n' })
    expect(err).toBe(`netq: netq-agent ended at once. Why is at the end of ${paths.agentLog}\n`)
  })

  it('with a broken configuration a running agent goes on', async () => {
    agentThatSays({})
    await netq('config', 'start', 'agent')
    const before = await makeServices(paths).running('netq-agent')
    program.write('root/etc/netq/netq.yml', 'netq-agent:\n  port: 1\n')
    const { status, out, err } = await netq('config', 'restart', 'agent')
    expect({ status, out }).toEqual({ status: 1, out: '' })
    expect(err).toBe(
      `${paths.netqConfig}, line 2: \`port\` must be a whole number from 1025 to 65535\n` +
        'Nothing was started or stopped. Correct the configuration first.\n',
    )
    expect(await makeServices(paths).running('netq-agent')).toEqual(before)
  })
})

describe('bin/netq', () => {
  it('says what to do when it is not built', async () => {
    rmSync(`${program.folder}/dist`, { recursive: true })
    const { status, err } = await netq('help')
    expect(status).toBe(1)
    expect(err).toMatch(/^netq: \S+dist\/netq\.cjs is missing\. Make it with: npm run build\n$/)
  })

  it('finds the demo of its checkout, also through a symbolic link', async () => {
    program.write(
      '.demo/places.json',
      JSON.stringify({
        servers: [{ name: 'ts01', root: '../ts01' }],
        node: { name: 'host', root: '../root' },
      }),
    )
    symlinkSync('bin/netq', `${program.folder}/link`)
    const { NETQ_ROOT: _root, NETQ_DEMO: _demo, ...env } = process.env
    const out = execFileSync(`${program.folder}/link`, ['__complete', '--on', ''], {
      cwd: program.folder,
      env,
      encoding: 'utf8',
    })
    expect(out).toBe('ts01\nhost\n')
  })
})
