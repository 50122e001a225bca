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
import { expectHealthy, expectTable, pageSections, typed } from '../support/page.ts'
import { until } from '../support/until.ts'

const why = whyNoMachines()
const page = pageSections()
let folder = ''
let set: MachineSet
let load: Load

const on = (name: string) => set.named(name === 'netq-ts' ? 'ts01' : name)

/** Types the commands of a section of the page, and looks at every machine after each. */
async function follow(heading: string): Promise<void> {
  for (const step of page.get(heading)!) {
    await typed(on(step.on), step)
    await expectHealthy(set.machines)
  }
}

/** Expects that these servers hold everything that was acknowledged, once and in order. */
async function expectWhole(...names: string[]): Promise<void> {
  for (const { name, address, root } of names.map(on)) {
    await until(`${name} holds everything once`, 20_000, async () => {
      const { acknowledged, ...verdict } = await load.check(new LabServer(name, address, root))
      expect(verdict).toEqual({ lost: 0, duplicated: 0, faults: [] })
      return acknowledged > 0
    })
  }
}

async function expectAcknowledged(): Promise<void> {
  const now = Date.now()
  await until('changes are acknowledged again', 60_000, () => load.acknowledgedSince(now))
}

/** Expects that the servers agree with each other, that systemd is content, and that changes go on being acknowledged. */
async function expectInOrder(...names: string[]): Promise<void> {
  for (const name of names) await expectTable(on(name))
  await expectHealthy(set.machines)
  await expectAcknowledged()
}

if (why !== undefined) it('the page, on booted machines', () => skip(why))
else describe('the page, on booted machines', { retry: 0 }, story)

function story() {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'm-'))
    set = new MachineSet(`nqt-${process.env.NETQ_TEST_RUN}-`, folder, baseImage())
    set.create()
    await Promise.all(set.machines.map((machine) => machine.boot()))
  }, 300_000)

  afterAll(async () => {
    await load?.stop()
    set?.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  keepLogsOfFailures(() => set.machines)

  it('the packages install, and every machine runs', async () => {
    await Promise.all(
      set.machines.map((machine) => installOn(machine, machine.name === 'switch' ? 'node' : 'server')),
    )
    await expectHealthy(set.machines)
  }, 300_000)

  it('Enabling HA Mode', async () => {
    await follow('Enabling HA Mode')
    const servers = ['10.0.0.5', '10.0.0.6', '10.0.0.7']
    load = new Load({ kind: 'agent', count: 3, servers, folder: join(folder, 'load') }, set.outside)
    load.start()
    await expectAcknowledged()
  })

  it('Checking HA Mode Status, and Restarting HA Mode Services', async () => {
    await follow('Checking HA Mode Status')
    await follow('Restarting HA Mode Services')
    await expectInOrder('ts01', 'ts02', 'ts03')
  })

  it('the service of each is restarted alone, and the cluster works', async () => {
    for (const service of [
      'cts-auth',
      'netqd',
      'netq-influxdb',
      'netq-stats-pushd',
      'netq-sentinel',
      'netq-redis',
    ]) {
      expect(await on('ts02').system('systemctl', 'restart', service)).toMatchObject({ status: 0 })
      await expectInOrder('ts01', 'ts02')
    }
  })

  it('the Redis of the master is killed', async () => {
    await makeMaster('ts01')
    await on('ts01').system('systemctl', 'kill', '--signal=SIGKILL', 'netq-redis')
    await expectAcknowledged()
    await expectInOrder('ts01', 'ts02', 'ts03')
  })

  it('Changing the Master Telemetry Server', async () => {
    await makeMaster('ts01')
    await follow('Changing the Master Telemetry Server')
    await expectInOrder('ts01', 'ts02', 'ts03')
  })

  it('Replacing a Replica with a New Server', async () => {
    await makeMaster('ts01')
    const heading = 'Replacing a Replica with a New Server'
    const steps = page.get(heading)!
    const down = steps.findIndex(({ command }) => command === 'sudo shutdown')
    for (const step of steps.slice(0, down + 1)) await typed(on(step.on), step)
    // The page's command switches it off in a minute.
    await on('ts03').off(90_000)
    for (const step of steps.slice(down + 1)) {
      await typed(on(step.on), step)
      await expectHealthy(set.machines)
    }
    await expectInOrder('ts01', 'ts02', 'ts04')
  }, 240_000)

  it('Resetting the Database Cluster', async () => {
    const { command } = page.get('Resetting the Database Cluster')![0]!
    // It asks, and is answered on a terminal.
    const { out, status } = await on('ts01').type('cumulus', `echo y | script -qec '${command}' /dev/null`)
    expect(`${status} ${out}`).toMatch(/^0 /)
    await expectInOrder('ts01', 'ts02', 'ts04')
  })

  it('each machine is rebooted in turn', async () => {
    for (const name of ['ts04', 'ts02', 'ts01']) {
      await on(name).reboot()
      await expectInOrder('ts01', 'ts02', 'ts04')
    }
  }, 240_000)

  it('the power of all three fails, and comes back', async () => {
    const machines = ['ts01', 'ts02', 'ts04'].map(on)
    await Promise.all(machines.map((machine) => machine.cutPower()))
    await Promise.all(machines.map((machine) => machine.boot()))
    await expectInOrder('ts01', 'ts02', 'ts04')
  }, 240_000)

  it('the switch is shown, everything is there once, and no program of ours complained', async () => {
    await load.quiet()
    await until('everything is acknowledged', 30_000, () => load.complete())
    await expectWhole('ts01', 'ts02', 'ts04')
    for (const machine of ['ts01', 'switch'].map(on)) {
      const { out } = await machine.type('cumulus', 'netq switch show agents')
      expect(out).toMatch(/^switch +Fresh /m)
    }
    for (const machine of set.machines.filter((one) => one.on)) {
      const units = ['--unit=netq*', '--unit=cts-auth*']
      const { out } = await machine.system(
        'journalctl',
        '--quiet',
        '--priority=err',
        '--output=short',
        ...units,
      )
      expect(`${machine.name}: ${out}`).toBe(`${machine.name}: `)
    }
  })
}

/** Has a server be the master, as an operator would, if it is not. */
async function makeMaster(name: string): Promise<void> {
  const rest = ['ts01', 'ts02', 'ts03'].filter((other) => other !== name)
  const addresses = [name, ...rest].map((one) => on(one).address).join(' ')
  const replicas = rest.map((one) => on(one).address)
  const order = `netq config ts add server ${addresses}`
  let said = ''
  const type = async (command: string) => {
    const { out, err } = await on(name).type('cumulus', command)
    said += `${command}\n${out}${err}`
    return out
  }
  const out = await type(order)
  // The list is the same as before where a failover made another the master: it is changed and changed back.
  if (out.includes('Nothing was changed') && !out.includes(`${on(name).address} is the master`)) {
    const [first = '', ...others] = replicas
    await type(`netq config ts add server ${[first, on(name).address, ...others].join(' ')}`)
    await type(order)
  }
  await until(`${name} is the master`, 30_000, async () => {
    const table = (await on(name).type('cumulus', 'netq config ts show server')).out
    if (!new RegExp(`^${on(name).address} +master .* ok `, 'm').test(table))
      throw new Error(`${said}${table}`)
    return true
  })
}
