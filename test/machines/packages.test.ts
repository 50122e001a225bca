import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { baseImage, whyNoMachines } from '../../lab/base-image.ts'
import type { Machine } from '../../lab/machine.ts'
import { MachineSet } from '../../lab/machine-set.ts'
import { skip } from '../setup/skip.ts'
import { installOn, keepLogsOfFailures, packageFile } from '../support/machines.ts'
import { expectHealthy } from '../support/page.ts'
import { until } from '../support/until.ts'

const why = whyNoMachines()
let folder = ''
let set: MachineSet
let machine: Machine

if (why !== undefined) it('the packages, on a booted machine', () => skip(why))
else describe('the packages, on a booted machine', { retry: 0 }, story)

function story() {
  let before: string[] = []

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'm-'))
    set = new MachineSet(`nqt-${process.env.NETQ_TEST_RUN}-`, folder, baseImage(), [
      { name: 'ts01', address: '10.0.0.5' },
    ])
    set.create()
    machine = set.named('ts01')
    await machine.boot()
    before = await files()
  }, 300_000)

  afterAll(() => {
    set?.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  keepLogsOfFailures(() => set.machines)

  it('give way to nobody: what Debian started and nobody uses is disabled, with a notice', async () => {
    const said = await machine.install([packageFile('netq-agent'), packageFile('netq-ts')])
    for (const unit of ['redis-server', 'redis-sentinel', 'influxdb']) {
      expect(said).toContain(`netq-ts: ${unit}.service was not in use and is disabled`)
      expect((await machine.system('systemctl', 'is-enabled', unit)).out).toBe('disabled\n')
      expect((await machine.system('systemctl', 'is-active', unit)).out).toBe('inactive\n')
    }
    await expectHealthy([machine])
    await serves()
  })

  it('bring units that may do no more than they need', async () => {
    // The others say in their units why they are root.
    const asRoot = ['cts-auth.service', 'netq-agent.service']
    const { out } = await machine.system(
      'sh',
      '-c',
      'cd /usr/lib/systemd/system && ls netq*.service cts-*.service',
    )
    for (const unit of out
      .trim()
      .split('\n')
      .filter((one) => !asRoot.includes(one))) {
      const said = await machine.system('systemd-analyze', 'security', '--no-pager', unit)
      const exposure = Number(/exposure level for \S+: (\S+)/.exec(said.out)?.[1])
      expect(`${unit}: ${exposure <= 2 ? 'at most 2.0' : exposure}`).toBe(`${unit}: at most 2.0`)
    }
  })

  it('make backups by themselves and by hand, and an archive for a support case', async () => {
    expect((await machine.system('systemctl', 'is-active', 'cts-backup.timer')).out).toBe('active\n')
    const made = async () => (await machine.system('sh', '-c', 'ls /var/log/backup /var/backup')).out
    expect(await machine.system('systemctl', 'start', 'cts-backup.service')).toMatchObject({ status: 0 })
    expect(await made()).toMatch(/^appendonly\.aof_master_\S+\.gz$/m)
    expect(await machine.system('cts-backup')).toMatchObject({ status: 0 })
    expect((await made()).match(/\.gz$/gm)).toHaveLength(2)
    expect((await machine.system('netq', 'config', 'ts', 'show', 'backups')).out).toMatch(
      / master .* backup$/m,
    )
    expect(await machine.system('cts-support')).toMatchObject({ status: 0 })
    expect((await machine.system('sh', '-c', 'ls /var/support')).out).toMatch(
      /^cts-support_ts01_\S+\.tar\.gz$/m,
    )
    await expectHealthy([machine])
  })

  it('keep the configuration and the data through an upgrade, and Redis goes on', async () => {
    await machine.system('netq', 'config', 'add', 'stats')
    const config = await text('/etc/netq/netq.yml')
    expect(config).toContain('stats: true')
    const redis = await pidOf('netq-redis')
    const [auth, agent] = [await pidOf('cts-auth'), await pidOf('netq-agent')]
    await machine.install([packageFile('netq-agent'), packageFile('netq-ts')])
    expect(await text('/etc/netq/netq.yml')).toBe(config)
    expect(await pidOf('netq-redis')).toBe(redis)
    expect(await pidOf('cts-auth')).not.toBe(auth)
    expect(await pidOf('netq-agent')).not.toBe(agent)
    await expectHealthy([machine])
    await serves()
  })

  it('lose no line of a log when it is rotated', async () => {
    // 200 a second: journald hands rsyslog what fits into its queue (10 messages), and drops of a burst what does not.
    const lines = 2000
    const writer = `for i in $(seq ${lines}); do echo "line $i"; [ $((i % 10)) = 0 ] && sleep 0.05; done`
    const writing = machine.system('sh', '-c', `(${writer}) | systemd-cat -t netqd`)
    for (let i = 0; i < 3; i++) {
      await until('it writes', 20_000, async () => /line \d+\n$/.test(await text('/var/log/netqd.log')))
      expect(await machine.system('logrotate', '--force', '/etc/logrotate.d/netq-agent')).toMatchObject({
        status: 0,
        err: '',
      })
    }
    await writing
    await until('every line is there once', 20_000, async () => {
      const { out } = await machine.system(
        'sh',
        '-c',
        'zgrep -h "^line " /var/log/netqd.log* | sort -u | wc -l',
      )
      const all = await machine.system('sh', '-c', 'zgrep -h "^line " /var/log/netqd.log* | wc -l')
      expect([Number(out), Number(all.out)]).toEqual([lines, lines])
      return true
    })
    expect(await machine.system('logrotate', '--force', '/etc/logrotate.d/netq-ts')).toMatchObject({
      status: 0,
      err: '',
    })
  })

  it('leave data and configuration when removed, and nothing when purged', async () => {
    expect(await machine.system('dpkg', '--remove', 'netq-ts', 'netq-agent')).toMatchObject({ status: 0 })
    expect(await processes()).toEqual([])
    expect(await files()).toContain('/etc/cts/secrets.json')
    await expectHealthy([machine])
    expect(await machine.system('dpkg', '--purge', 'netq-ts', 'netq-agent')).toMatchObject({
      status: 0,
      err: '',
    })
    // Debian keeps copies of dpkg's state there, once a day at midnight.
    const left = (await files()).filter((path) => !path.startsWith('/var/backups/') && !before.includes(path))
    expect(left).toEqual([])
    await expectHealthy([machine])
  })

  it('install again after that', async () => {
    await installOn(machine, 'server')
    await expectHealthy([machine])
    await serves()
  })

  it('leave a Redis alone that somebody uses, and say so', async () => {
    expect(await machine.system('dpkg', '--purge', 'netq-ts')).toMatchObject({ status: 0 })
    await machine.system('systemctl', 'enable', '--now', 'redis-server')
    await until('it takes a key', 10_000, async () => {
      const { out } = await machine.system('redis-cli', 'set', 'somebody', 'uses it')
      return out === 'OK\n'
    })
    const said = await machine.install([packageFile('netq-ts')])
    expect(said).toContain('netq-ts: redis-server.service is in use and was left alone')
    expect((await machine.system('redis-cli', 'get', 'somebody')).out).toBe('uses it\n')
  })
}

/** Waits until the machine is a telemetry server of its own, which hears its own agent. */
async function serves(): Promise<void> {
  await until('it is a server that hears its agent', 60_000, async () => {
    const { out } = await machine.system('netq', 'show', 'agents')
    return /^ts01 +Fresh /m.test(out)
  })
}

async function pidOf(unit: string): Promise<string> {
  return (await machine.system('systemctl', 'show', '--property=MainPID', '--value', unit)).out.trim()
}

async function text(path: string): Promise<string> {
  return (await machine.system('cat', path)).out
}

/** All files of the machine but for what the system itself keeps books of. */
async function files(): Promise<string[]> {
  const books = [
    '/var/lib/dpkg',
    '/var/log/journal',
    '/var/log/dpkg.log',
    '/var/log/apt',
    '/var/lib/apt',
    '/var/lib/systemd',
    '/root',
    '/var/cache',
  ]
  const prune = books.flatMap((path) => ['-path', path, '-prune', '-o'])
  const { out } = await machine.system('find', '/', '-xdev', ...prune, '-print')
  // Users, backups and archives for support stay, and Debian's services that were disabled stay so; what these wrote when stopped is theirs.
  const others =
    /^\/etc\/(passwd|group|shadow|gshadow|subuid|subgid)-?$|^\/etc\/rc\d\.d\/|^\/var\/lib\/(redis|influxdb|logrotate)\/|^\/var\/(log\/)?backup(\/|$)|^\/var\/support(\/|$)|^\/var\/log\/cron\.log$/
  return out.split('\n').filter((path) => path !== '' && !others.test(path))
}

/** What still runs of netq. */
async function processes(): Promise<string[]> {
  const { out } = await machine.system('ps', '-eo', 'args')
  return out.split('\n').filter((line) => line.includes('/usr/lib/netq/') || line.includes('/etc/cts/'))
}
