import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { LabServer } from '../../lab/server.ts'
import { Ground } from '../support/ground.ts'
import { until } from '../support/until.ts'

// A machine with other work on it needs several times as long as an idle one.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

let ground: Ground

beforeEach(() => {
  ground = Ground.onLoopback()
})
afterEach(() => ground.stop())

/** Puts a text between two commands in the middle of what a stopped server has written. */
function insert({ paths }: LabServer, text: string): void {
  const folder = join(paths.redisData, 'appendonlydir')
  const name = readdirSync(folder).find((one) => one.endsWith('.incr.aof'))!
  const bytes = readFileSync(join(folder, name))
  const at = bytes.indexOf('*1\r\n$5\r\nMULTI', bytes.length / 2)
  expect(at).toBeGreaterThan(0)
  writeFileSync(
    join(folder, name),
    Buffer.concat([bytes.subarray(0, at), Buffer.from(text), bytes.subarray(at)]),
  )
}

const logOf = ({ paths }: LabServer) => readFileSync(paths.ctsAuthLog, 'utf8')

test('trap 26: servers whose files a full disk has left holes in start again with all that was acknowledged', async () => {
  await ground.form()
  const load = await ground.load({ kind: 'agent', count: 3 })
  await until('there is something to lose', 10_000, async () => (await load.acknowledged()) > 300)
  await Promise.all(ground.cluster.servers.map((server) => server.kill()))
  for (const server of ground.cluster.servers) insert(server, '\0'.repeat(100))
  for (const server of ground.cluster.servers) await server.start()
  await ground.settled()
  for (const server of ground.cluster.servers)
    expect(logOf(server)).toContain("Redis' append only file had 100 zeros in it")
  await ground.expectWhole(load)
})

test('a server whose file cannot be loaded says so and where the reason is; without it, it copies the master', async () => {
  await ground.form()
  const load = await ground.load({ kind: 'agent', count: 3 })
  await until('there is something to lose', 10_000, async () => (await load.acknowledged()) > 300)
  const [, , broken] = ground.cluster.servers
  await broken!.kill()
  insert(broken!, 'garbage')
  await broken!.start()
  await until('that is said', 20_000, async () => {
    const { out } = await ground.cluster.netq('ts01', 'config', 'ts', 'show', 'server', 'config')
    return /Redis has ended \d+ times while it loaded its data: see \S+cts-redis\.log/.test(out)
  })
  const before = await load.acknowledged()
  await until(
    'the others take what the agents send',
    10_000,
    async () => (await load.acknowledged()) > before,
  )
  // What docs/operations.md says to do then.
  await broken!.kill()
  renameSync(broken!.paths.redisData, `${broken!.paths.redisData}.bad`)
  await broken!.start()
  await ground.settled()
  await ground.expectWhole(load)
})
