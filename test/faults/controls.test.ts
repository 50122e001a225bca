import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Checker, type Findings } from '../../lab/faults/check.ts'
import { Field } from '../../lab/faults/field.ts'
import { masterNow } from '../../lab/faults/roles.ts'
import { RottenWatch } from '../../lab/faults/rotten.ts'
import { AGENTS_ADDRESS, whyNoNetwork } from '../../lab/netns.ts'
import { readSecrets } from '../../src/config/secrets.ts'
import { keysUnder } from '../../src/store/keys.ts'
import { skip } from '../setup/skip.ts'
import { until } from '../support/until.ts'

const why = whyNoNetwork()
let folder: string
let field: Field
let checker: Checker
let rotten: RottenWatch

/** Three writers without the agents' protection; each is told one server, which its Sentinel leads on to the master. */
beforeAll(async () => {
  if (why !== undefined) return
  folder = mkdtempSync(join(tmpdir(), 'f-'))
  field = new Field({
    folder,
    prefix: `nqt-${process.env.NETQ_TEST_RUN}-controls-`,
    programs: join(import.meta.dirname, '../../dist'),
    agents: {
      kind: 'plain',
      count: 3,
      changesPerSecond: 0,
      resends: true,
      servers: (members, i) => [members[i]!],
    },
  })
  await field.start()
  checker = new Checker(field)
  rotten = new RottenWatch(field)
})
afterAll(async () => {
  rotten?.stop()
  await field?.end()
  if (folder) rmSync(folder, { recursive: true, force: true })
})

/** Has the writers write for a while, with something happening to them, and the checker look. */
async function checked(happens: () => Promise<void>): Promise<Findings> {
  if (why !== undefined) skip(why)
  checker.begin()
  checker.resume()
  await checker.progress(30, 20_000)
  await happens()
  return checker.check({ diskFull: false }, rotten)
}

async function redis(address: string, ...commands: string[][]): Promise<void> {
  const connection = await field.redis(field.at(address))
  try {
    for (const [command = '', ...words] of commands) await connection.call(command, ...words)
  } finally {
    connection.disconnect()
  }
}

/** The id of the newest entry of the log on a server. */
async function newest(address: string): Promise<{ key: string; id: string }> {
  const key = keysUnder(readSecrets(field.at(address).paths)!.prefix).log
  const connection = await field.redis(field.at(address))
  try {
    const [entry] = await connection.xrevrange(key, '+', '-', 'COUNT', 1)
    return { key, id: entry![0] }
  } finally {
    connection.disconnect()
  }
}

describe('the checker, where the protection is missing', { timeout: 60_000 }, () => {
  it('finds nothing wrong while nothing happens', async () => {
    const { acknowledged, faults } = await checked(async () => {})
    expect(faults).toEqual([])
    expect(acknowledged).toBeGreaterThan(50)
  })

  it('finds an entry that is removed from the log of one server, and then from all', async () => {
    const replica = field.members[2]!
    let gone: Awaited<ReturnType<typeof newest>>
    const removed = await checked(async () => {
      gone = await newest(replica)
      await redis(replica, ['CONFIG', 'SET', 'replica-read-only', 'no'], ['XDEL', gone.key, gone.id])
    })
    expect(removed.faults.join('\n')).toMatch(/the logs of ts01 and ts03 have \d+ and \d+ entries/)
    const { faults, lost } = await checked(async () => {
      const { key, id } = await newest(field.members[0]!)
      await redis(field.members[0]!, ['XDEL', key, id], ['XDEL', gone.key, gone.id])
    })
    expect(lost).toBe(1)
    expect(faults.join('\n')).toContain('is not in the log, which goes on behind it')
    expect(faults.join('\n')).toContain('older ones have changed')
  })

  it('finds changes that are sent again without their number', async () => {
    const { master } = await field.agreed(20_000)
    const { duplicated, faults } = await checked(async () => {
      // What reaches the master is applied, and the answers never come.
      field.network.cut(master, AGENTS_ADDRESS)
      await until('the writers have given up', 10_000, () => checker.silentFor() > 2000)
      field.network.mend(master, AGENTS_ADDRESS)
      await checker.progress(30, 20_000)
    })
    expect(duplicated).toBeGreaterThan(0)
    expect(faults.join('\n')).toContain('nobody made it')
  })

  it('finds what a master lost that was cut off with the writers, which waited for no replica', async () => {
    const { master } = await field.agreed(30_000)
    const { lost } = await checked(async () => {
      const others = field.members.filter((ip) => ip !== master)
      for (const ip of others) {
        field.network.partition(master, ip)
        field.network.partition(AGENTS_ADDRESS, ip)
      }
      await until('another one is promoted', 30_000, async () => {
        return others.includes((await masterNow(others.map((ip) => field.at(ip)))) ?? '')
      })
      field.network.heal()
      await field.agreed(30_000)
      await checker.progress(30, 20_000)
    })
    expect(lost).toBeGreaterThan(0)
  })

  it('finds two servers that take writes at the same time', async () => {
    const { master } = await field.agreed(30_000)
    const others = field.members.filter((ip) => ip !== master)
    const { faults } = await checked(async () => {
      for (const { services } of field.own) await services.kill('cts-auth')
      for (const { services } of field.own) await services.kill('sentinel')
      for (const ip of others) await redis(ip, ['REPLICAOF', 'NO', 'ONE'])
      for (const ip of field.members) await redis(ip, ['CONFIG', 'SET', 'min-replicas-to-write', '0'])
      // Those who are connected stay; the one who looks anew finds the server that it was told.
      await redis(master, ['CLIENT', 'KILL', 'USER', 'default'])
      await checker.progress(30, 20_000)
    })
    expect(faults.join('\n')).toMatch(/and 10\.99\.1\.\d both acknowledged within/)
  })
})
