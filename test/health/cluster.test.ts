import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LabCluster } from '../../lab/cluster.ts'
import { portsInUse } from '../../lab/preflight.ts'
import type { LabServer } from '../../lab/server.ts'
import { secretsFrom } from '../../src/config/secrets.ts'
import { HEALTH_PORT } from '../../src/health/server.ts'
import type { Health } from '../../src/health/verdict.ts'
import { freshAddresses } from '../support/addresses.ts'
import { until } from '../support/until.ts'
import { type Parsed, parseExposition } from './exposition-parser.ts'

const program = join(import.meta.dirname, '../../dist/netq.cjs')
/** Far beyond the second that an answer may take, on a machine that is busy with other tests. */
const SLOW_MS = 2500
let folder: string
let cluster: LabCluster
/** All that any server answered in the test. */
let said: string[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'h-'))
  cluster = new LabCluster(folder, freshAddresses(), program)
  said = []
})
afterEach(async () => {
  await cluster.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function ask(server: LabServer, path: string, method = 'GET'): Promise<Response & { body_: string }> {
  const url = `http://${server.address}:${HEALTH_PORT}${path}`
  const response = await fetch(url, { method, signal: AbortSignal.timeout(SLOW_MS) })
  const text = await response.text()
  said.push(JSON.stringify([...response.headers]), text)
  return Object.assign(response, { body_: text })
}

async function health(server: LabServer, path: string): Promise<Health & { status: number }> {
  const { status, body_ } = await ask(server, path)
  return { status, ...(JSON.parse(body_) as Health) }
}

async function metrics(server: LabServer): Promise<(name: string, labels?: string) => number | undefined> {
  const parsed: Map<string, Parsed> = parseExposition((await ask(server, '/metrics')).body_)
  return (name, labels = '') => parsed.get(`netq_${name}`)?.samples.get(labels)
}

/** "200 503 ..." of these endpoints. */
async function statuses(server: LabServer, ...paths: string[]): Promise<string> {
  return (await Promise.all(paths.map(async (path) => (await ask(server, path)).status))).join(' ')
}

function secretsOf({ paths }: LabServer): string[] {
  const { key } = JSON.parse(readFileSync(paths.secrets, 'utf8')) as { key: string }
  const { prefix, ...rest } = secretsFrom(key)
  return [...Object.values(rest), prefix.split(':')[1]!]
}

async function formed(): Promise<void> {
  await cluster.start()
  await cluster.toldOfEachOther()
  await until('all are ok', 20_000, () => cluster.allOk(cluster.named('ts01')))
}

test('the endpoints follow the roles through the loss of the master, and tell no secret', async () => {
  await formed()
  await cluster.netq(undefined, 'config', 'add', 'server', ...cluster.addresses)
  await cluster.netq(undefined, 'config', 'restart', 'agent')
  const [first, second, third] = cluster.servers as [LabServer, LabServer, LabServer]
  const paths = ['/', '/primary', '/master', '/replica', '/health', '/readiness', '/liveness']
  const asMaster = '200 200 200 503 200 200 200'
  const asReplica = '503 503 503 200 200 200 200'
  await until('ts01 is the master', 10_000, async () => (await statuses(first, ...paths)) === asMaster)
  for (const server of [second, third]) {
    await until(`${server.name} is a replica`, 10_000, async () => {
      return (await statuses(server, ...paths)) === asReplica
    })
  }
  for (const method of ['HEAD', 'OPTIONS']) {
    for (const [server, path, status] of [
      [first, '/primary', 200],
      [second, '/primary', 503],
      [second, '/replica', 200],
    ] as const) {
      const answer = await ask(server, path, method)
      expect([method, path, answer.status, answer.body_]).toEqual([method, path, status, ''])
    }
  }
  await until(
    'the roles have their times',
    5000,
    async () => (await health(second, '/replica')).since !== null,
  )
  const before = await health(second, '/replica?lag=60')
  expect(before).toMatchObject({ status: 200, state: 'ok', role: 'replica', master: first.address })
  expect(before.reason).toContain(`this server is a replica of ${first.address}; this server's copy may be`)
  expect(Math.abs(before.since! - Date.now() / 1000)).toBeLessThan(60)
  await until(
    'the agent is counted',
    20_000,
    async () => (await metrics(third))('agents', 'status="fresh"') === 1,
  )
  await until('its batches are counted', 10_000, async () => {
    const of = await metrics(third)
    return of('batches_applied_total')! > 0 && of('log_entries')! > 0
  })
  const of = await metrics(first)
  expect(of('server_role', `server="${first.address}",role="master"`)).toBe(1)
  expect([of('quorum_ok'), of('sentinel_replicas'), of('sentinel_others')]).toEqual([1, 2, 2])
  expect(of('memory_max_bytes')).toBeGreaterThan(of('memory_used_bytes')!)
  expect(of('replica_offset_bytes', `replica="${third.address}"`)).toBeGreaterThan(0)

  await first.kill()
  const survivors = [second, third]
  let heir: LabServer | undefined
  await until('another answers 200 to /primary', 20_000, async () => {
    const answers = await Promise.all(survivors.map(async (one) => (await ask(one, '/primary')).status))
    expect(answers.filter((status) => status === 200).length).toBeLessThanOrEqual(1)
    heir = survivors[answers.indexOf(200)]
    return heir !== undefined
  })
  const other = survivors.find((one) => one !== heir)!
  await until('the other is its replica', 20_000, async () => {
    const { status, master } = await health(other, '/replica')
    return status === 200 && master === heir!.address
  })
  // It takes writes up to a second before its Sentinel has finished the failover, and with it the epoch.
  await until(
    'its epoch is newer',
    10_000,
    async () => (await health(heir!, '/primary')).epoch! > before.epoch!,
  )
  for (const server of survivors) {
    await until('the gap is known', 5000, async () => {
      const gap = (await metrics(server))('last_write_gap_seconds')
      return gap !== undefined && gap > 0 && gap < 20
    })
    const now = await metrics(server)
    expect(now('server_ok', `server="${first.address}"`)).toBe(0)
    expect(now('server_role', `server="${heir!.address}",role="master"`)).toBe(1)
  }
  await expect(ask(first, '/primary')).rejects.toThrow()

  await first.start()
  await until(
    'the old master is a replica',
    30_000,
    async () => (await statuses(first, ...paths)) === asReplica,
  )
  expect((await metrics(first))('last_write_gap_seconds')).toBeUndefined()
  const secrets = cluster.servers.flatMap(secretsOf)
  expect(said.length).toBeGreaterThan(50)
  expect(secrets.filter((secret) => said.some((text) => text.includes(secret)))).toEqual([])
}, 120_000)

test('a single server is the master; while its Redis hangs every answer comes in time and says so', async () => {
  const server = cluster.named('ts01')
  await server.start()
  await until('it takes writes', 15_000, async () => (await ask(server, '/primary')).status === 200)
  expect(await health(server, '/')).toMatchObject({ role: 'master', master: server.address, state: 'ok' })
  expect((await metrics(server))('store_readable')).toBe(1)
  const { pid } = (await server.services.running('redis'))!
  process.kill(pid, 'SIGSTOP')
  try {
    const times: number[] = []
    await until('it is seen', 10_000, async () => {
      const begun = performance.now()
      const answers = await Promise.all([ask(server, '/primary'), ask(server, '/metrics')])
      times.push(performance.now() - begun)
      return answers[0].status === 503
    })
    // Each waits 0.9 s at most; the limit of the request itself (ask) is for a machine that has other work.
    expect(Math.max(...times)).toBeLessThan(SLOW_MS)
    expect(times[0]).toBeLessThan(1500)
    const { status, reason } = await health(server, '/health')
    expect([status, reason]).toEqual([503, expect.stringMatching(/^redis runs, but /)])
    expect(await statuses(server, '/readiness', '/liveness')).toBe('503 200')
    const of = await metrics(server)
    expect([of('redis_up'), of('store_readable'), of('epoch')]).toEqual([0, 0, undefined])
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await until('it takes writes again', 15_000, async () => (await ask(server, '/primary')).status === 200)
  await until('the store is read again', 5000, async () => (await metrics(server))('store_readable') === 1)
  await server.services.kill('redis')
  await until('a Redis that was started anew is read', 15_000, async () => {
    return (await ask(server, '/primary')).status === 200 && (await metrics(server))('log_entries') === 0
  })
}, 60_000)

test('a port that is taken is a warning, and named before the demo starts', async () => {
  const server = cluster.named('ts01')
  const other = createServer().listen(HEALTH_PORT, server.address)
  try {
    await until('the port is taken', 5000, () => other.listening)
    expect((await portsInUse([server.address]))[0]).toMatch(`${server.address}:${HEALTH_PORT} is in use`)
    await server.start()
    await until('the server works', 15_000, async () => {
      return (await server.services.running('redis')) !== undefined
    })
    const log = readFileSync(server.paths.ctsAuthLog, 'utf8')
    expect(log).toMatch(/WARNING: health is not served over HTTP, and all else is: .*9003/)
  } finally {
    other.close()
  }
})
