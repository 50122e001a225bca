import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { baseImage, whyNoMachines } from '../../lab/base-image.ts'
import { MachineSet } from '../../lab/machine-set.ts'
import { LabServer } from '../../lab/server.ts'
import { skip } from '../setup/skip.ts'
import { Load } from '../support/load.ts'
import { installOn, keepLogsOfFailures } from '../support/machines.ts'
import { expectHealthy, expectTable } from '../support/page.ts'
import { secondBuild } from '../support/second-build.ts'
import { until } from '../support/until.ts'

const SERVERS = ['ts01', 'ts02', 'ts03']
const NEW = '99.0.0'
/** For how long no change may be acknowledged while the master is stopped on purpose, in milliseconds; a failover costs 2 s. */
const GAP_MS = 1500

const why = whyNoMachines()
let folder = ''
let set: MachineSet
let load: Load
/** The packages of the other version. */
let files: readonly string[] = []

const on = (name: string) => set.named(name)

if (why !== undefined) it('a running cluster, on booted machines', () => skip(why))
else describe('a running cluster, on booted machines', { retry: 0 }, story)

function story() {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'm-'))
    files = secondBuild(join(folder, 'second'), NEW)
    set = new MachineSet(`nqt-${process.env.NETQ_TEST_RUN}-`, folder, baseImage(), [
      { name: 'ts01', address: '10.0.0.5' },
      { name: 'ts02', address: '10.0.0.6' },
      { name: 'ts03', address: '10.0.0.7' },
      { name: 'switch', address: '10.0.0.20' },
    ])
    set.create()
    await Promise.all(set.machines.map((machine) => machine.boot()))
    await Promise.all(
      set.machines.map((machine) => installOn(machine, machine.name === 'switch' ? 'node' : 'server')),
    )
    for (const name of SERVERS) await typed(name, 'netq config ts add server 10.0.0.5 10.0.0.6 10.0.0.7')
    await typed('switch', 'netq config add server 10.0.0.5 10.0.0.6 10.0.0.7')
    await typed('switch', 'netq config restart agent')
    const servers = SERVERS.map((name) => on(name).address)
    load = new Load({ kind: 'agent', count: 3, servers, folder: join(folder, 'load') }, set.outside)
    load.start()
    await inOrder()
  }, 300_000)

  afterAll(async () => {
    await load?.stop()
    set?.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  keepLogsOfFailures(() => set.machines)

  it.each([
    ['its Redis is restarted', 'systemctl restart netq-redis'],
    ['all its services are restarted', 'systemctl restart netq-appliance'],
    ['all its services are stopped', 'systemctl stop netq-appliance'],
  ])('the master hands over before %s', async (_, command) => {
    const master = await masterNow()
    const from = Date.now()
    expect(await on(master).system('sh', '-c', command)).toMatchObject({ status: 0 })
    await expectHandedOver(from)
    expect(await on(master).system('systemctl', 'start', 'netq-appliance')).toMatchObject({ status: 0 })
    await inOrder()
  })

  it('the master hands over before its machine is rebooted', async () => {
    const master = await masterNow()
    const from = Date.now()
    await on(master).reboot()
    await expectHandedOver(from)
    await inOrder()
  })

  it('its services are stopped at once where no server can take over', async () => {
    const master = await masterNow()
    const others = SERVERS.filter((name) => name !== master)
    await Promise.all(others.map((name) => on(name).system('systemctl', 'stop', 'netq-appliance')))
    const from = Date.now()
    expect(await on(master).system('systemctl', 'stop', 'netq-appliance')).toMatchObject({ status: 0 })
    expect(Date.now() - from).toBeLessThan(20_000)
    await Promise.all(SERVERS.map((name) => on(name).system('systemctl', 'start', 'netq-appliance')))
    await inOrder()
  })

  it('is upgraded with one command a server, the replicas first, and loses nothing', async () => {
    const packagesOf = (name: string) => files.filter((f) => name !== 'switch' || f.includes('netq-agent'))
    const master = await masterNow()
    for (const name of [...SERVERS.filter((one) => one !== master), master]) {
      const before = await processesOf(name)
      const from = Date.now()
      const said = await on(name).install(packagesOf(name))
      if (name === master) {
        expect(said).toMatch(/hands over to/)
        await expectHandedOver(from)
      }
      await until(`the programs of ${name} are new, and its Redis`, 60_000, async () => {
        const now = await processesOf(name)
        const same = [...now].filter(([unit, pid]) => pid === '0' || pid === before.get(unit))
        // Nothing is new for the Sentinel in the other version, and so it goes on.
        expect(same.map(([unit]) => unit)).toEqual(['netq-sentinel'])
        return true
      })
      await inOrder()
    }
    await on('switch').install(packagesOf('switch'))
    for (const name of SERVERS) {
      const { out } = await on(name).type('cumulus', 'netq config ts show server json')
      expect(out).toContain(`"${on(name).address}"`)
      expect((await on(name).system('grep', '-c', 'tcp-keepalive 31', CONF)).out).toBe('1\n')
      expect((await on(name).system('cat', '/etc/app-release')).out).toContain(NEW)
    }
    await inOrder()
  }, 240_000)

  it('holds everything once at the end, and no program of ours complained', async () => {
    await load.quiet()
    await until('everything is acknowledged', 30_000, () => load.complete())
    for (const { name, address, root } of SERVERS.map(on)) {
      await until(`${name} holds everything once`, 20_000, async () => {
        const { acknowledged, ...verdict } = await load.check(new LabServer(name, address, root))
        expect(verdict).toEqual({ lost: 0, duplicated: 0, faults: [] })
        return acknowledged > 0
      })
    }
    const { out } = await on('ts01').type('cumulus', 'netq switch show agents')
    expect(out).toMatch(/^switch +Fresh /m)
  })
}

const CONF = '/etc/cts/run/redis/redis_6379.conf'
const UNITS = ['cts-auth', 'netqd', 'netq-notifier', 'netq-stats-pushd', 'netq-redis', 'netq-sentinel']

async function processesOf(name: string): Promise<Map<string, string>> {
  const pids = new Map<string, string>()
  for (const unit of UNITS) {
    const { out } = await on(name).system('systemctl', 'show', '--property=MainPID', '--value', unit)
    pids.set(unit, out.trim())
  }
  return pids
}

async function typed(name: string, command: string): Promise<void> {
  const { out, err, status } = await on(name).type('cumulus', command)
  expect(`${command}: ${status === 0 ? '' : out + err}`).toBe(`${command}: `)
}

/** Waits until all three agree, systemd is content with every machine, and changes are acknowledged. */
async function inOrder(): Promise<void> {
  for (const name of SERVERS) await expectTable(on(name))
  await expectHealthy(set.machines)
  const now = Date.now()
  await until('changes are acknowledged', 60_000, () => load.acknowledgedSince(now))
}

async function masterNow(): Promise<string> {
  const { out } = await on('ts01').type('cumulus', 'netq config ts show server json')
  const { servers } = JSON.parse(out) as { servers: { server: string; role: string }[] }
  const address = servers.find(({ role }) => role === 'master')?.server
  return set.machines.find((machine) => machine.address === address)!.name
}

/** Expects that the last change of master was a hand-over, and short. @param from when it was asked for, ms since the epoch */
async function expectHandedOver(from: number): Promise<void> {
  const now = Date.now()
  await until('changes are acknowledged', 60_000, () => load.acknowledgedSince(now))
  const gap = await load.longestGap(from, Date.now())
  const machine = set.machines.find(({ on, name }) => on && name !== 'switch')!
  await until('the history has it', 20_000, async () => {
    const { out } = await machine.type('cumulus', 'netq config ts show history json')
    const [last] = (JSON.parse(out) as { changes: { why: string; time: number }[] }).changes
    expect(last!.time).toBeGreaterThan(from)
    expect(last!.why).toBe('switchover')
    return true
  })
  process.stderr.write(`no change was acknowledged for ${gap} ms\n`)
  expect(gap).toBeLessThan(GAP_MS)
}
