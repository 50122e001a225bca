import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LabServer } from '../../lab/server.ts'
import { backupsOf, putAside } from '../../src/backup/files.ts'
import { readSecrets } from '../../src/config/secrets.ts'
import { keysUnder } from '../../src/store/keys.ts'
import { REDIS_PORT } from '../../src/store/names.ts'
import { adminOf } from '../support/admin.ts'
import { Remembering, runOn } from '../support/backups.ts'
import { TestCluster } from '../support/cluster.ts'
import { killer, whenAnswers, whenLogged } from '../support/moments.ts'
import { until } from '../support/until.ts'

let cluster: TestCluster
let agents: Remembering
beforeEach(async () => {
  cluster = new TestCluster()
  agents = new Remembering()
  await cluster.form()
  agents.start(cluster.folder, cluster.addresses)
  await more(60)
})
afterEach(async () => {
  await agents.stop()
  await cluster.end()
})

const three = ['ts01', 'ts02', 'ts03'] as const
const at = (address: string) => cluster.servers.find((server) => server.address === address)!

/** Waits until so many more changes are acknowledged. */
function more(changes: number): Promise<void> {
  const before = agents.acknowledged()
  return until('changes are acknowledged', 30_000, () => agents.acknowledged() >= before + changes)
}

/** Makes a backup on a server, and lets the agents go on for a while. @returns its name */
async function backupOn(server: LabServer): Promise<string> {
  await until('its copy has the agents', 20_000, async () => {
    return [...(await agents.marksIn(server)).values()].every((mark) => mark > 0)
  })
  const { err, status } = await runOn(server, 'cts-backup')
  expect(err).toMatch(/INFO: made appendonly\.aof_(master|replica)_.*, 3 agents, .*; loaded and compared\n$/)
  expect(status).toBe(0)
  const [made] = backupsOf(server.paths)
  await more(80)
  return made!.name
}

/** What was restored last, as a server shows it; undefined if nothing ever was. */
async function restoredOn(name: string): Promise<string | undefined> {
  const { out } = await cluster.netq(name, 'config', 'ts', 'show', 'backups', 'json')
  return (JSON.parse(out) as { restored: { name: string } | null }).restored?.name
}

const restore = (on: string, ...words: string[]) => cluster.netq(on, 'config', 'ts', 'restore', ...words)

describe('a restore under load', () => {
  test('brings back what the backup holds, agents send what they still have, and nothing is doubled', async () => {
    const [ts01, ts02, ts03] = cluster.servers as [LabServer, LabServer, LabServer]
    const whole = await agents.marksIn(ts02)
    const name = await backupOn(ts02)
    const asked = await restore('ts02', name)
    expect(asked.out).toMatch(/It is whole: the state of \d+s ago, with 3 agents and \d+ batches\.\n/)
    expect(asked.err).toBe('Nothing was changed. To do it, add the word: yes\n')
    expect(await restoredOn('ts01')).toBeUndefined()
    const { out, status } = await restore('ts02', name, 'yes')
    expect(out).toMatch(new RegExp(`${name} is restored: ${cluster.addresses.join(', ')} have it\\.\n$`))
    expect(status).toBe(0)
    await more(100)
    agents.quiet()
    await agents.caughtUp()
    for (const server of [ts01, ts02, ts03]) {
      await until(
        'all of it has arrived',
        10_000,
        async () => (await agents.faultsIn(server, whole)).length === 0,
      )
      expect(await restoredOn(server.name)).toBe(name)
      expect(putAside(server.paths).map(({ role }) => role)).toEqual([server === ts01 ? 'master' : 'replica'])
    }
    // What was put aside is a backup: the way back.
    const [before] = putAside(ts02.paths)
    expect(await restore('ts02', before!.path, 'yes')).toMatchObject({ status: 0 })
    await agents.caughtUp()
    expect(await agents.faultsIn(ts01, await agents.marksIn(ts01))).toEqual([])
    expect(await restoredOn('ts03')).toBe(basename(before!.path))
  })
})

describe('a restore that is interrupted', () => {
  /** Who is struck when who logs what: t where it was typed, m the master, r the other replica. */
  const steps = [
    ['m', 'cts-auth', 'm', /fence: /],
    ['r', 'cts-auth', 'r', /put-aside: /],
    ['t', 'cts-auth', 'm', /restore: /],
    ['m', 'cts-auth', 'm', /restore: /],
    ['m', 'redis', 'm', /fence: /],
    ['m', 'redis', 'm', /restore: /],
  ] as const

  // Six failovers in a row, each with a restore: past two minutes on a busy machine.
  test('ends in the new state, or in the old one with a sentence, and the agents go on', {
    timeout: 300_000,
  }, async () => {
    let { master } = await cluster.agreed(three)
    for (const [who, service, on, pattern] of steps) {
      const [typed, other] = cluster.servers.filter(({ address }) => address !== master)
      const by = { m: at(master), t: typed!, r: other! }
      const before = await restoredOn(typed!.name)
      const name = await backupOn(typed!)
      const kill = await killer(by[who], service)
      let struck = false
      const forget = whenLogged(by[on], pattern, () => {
        kill()
        struck = true
      })
      const answer = restore(typed!.name, name, 'yes')
      await until(`${pattern} is logged on ${by[on].name}`, 20_000, () => {
        if (!struck) throw new Error(readFileSync(by[on].paths.ctsAuthLog, 'utf8').slice(-1000))
        return struck
      }).finally(forget)
      if (service === 'cts-auth') await startAgain(by[who])
      const { out } = await answer
      ;({ master } = await cluster.agreed(three))
      await more(30)
      const after = await restoredOn(typed!.name)
      if (after !== name) {
        expect(after, `${who} ${pattern}`).toBe(before)
        expect(out).toMatch(/Nothing was changed: run the command again\.\n$/)
      }
      for (const one of three) expect(await restoredOn(one)).toBe(after)
      await expectNothingStaged(at(master))
    }
    agents.quiet()
    await agents.caughtUp()
    for (const server of cluster.servers)
      await until(
        'all of it has arrived',
        10_000,
        async () => (await agents.faultsIn(server, new Map())).length === 0,
      )
  })

  test('while the backup is read leaves the old state, and what was staged is dropped', async () => {
    const [ts01, ts02] = cluster.servers as [LabServer, LabServer]
    const name = await backupOn(ts02)
    const { prefix } = readSecrets(ts01.paths)!
    const kill = await killer(ts02, 'cts-auth')
    let struck = false
    const forget = await whenAnswers(
      ts01,
      `HGET ${keysUnder(prefix).cluster} staged`,
      /\d-[0-9a-f]{8}/,
      () => {
        kill()
        struck = true
      },
    )
    const { out, err, status } = await restore('ts02', name, 'yes')
    forget()
    expect([struck, status]).toEqual([true, 1])
    expect(out).not.toMatch(/is restored/)
    expect(err).toMatch(/broke off|not known/)
    await startAgain(ts02)
    await expectNothingStaged(ts01)
    await cluster.agreed(three)
    expect(await restoredOn('ts02')).toBeUndefined()
    agents.quiet()
    await agents.caughtUp()
    expect(await agents.faultsIn(ts01, await agents.marksIn(ts01))).toEqual([])
  })
})

/** As systemd does, once the killed one is gone. */
async function startAgain(server: LabServer): Promise<void> {
  await until('cts-auth is gone', 5000, async () => (await server.services.running('cts-auth')) === undefined)
  await server.services.start('cts-auth')
}

async function expectNothingStaged(master: LabServer): Promise<void> {
  const { prefix } = readSecrets(master.paths)!
  await until('nothing is staged any more', 30_000, async () => {
    const staged = await adminOf(master, REDIS_PORT, 'KEYS', `${keysUnder(prefix).staged}*`)
    const fields = await adminOf(
      master,
      REDIS_PORT,
      'HMGET',
      keysUnder(prefix).cluster,
      'staged',
      'ready',
      'fence',
    )
    return `${staged}${fields}` === ',,'
  })
}
