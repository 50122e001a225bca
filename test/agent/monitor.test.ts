import { execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { readIfThere } from '../../src/platform/files.ts'
import { skip } from '../setup/skip.ts'

const program = join(import.meta.dirname, 'collector-child.ts')
let count = 0

/** A namespace that is gone when the test is over; skips the test where none can be made. */
function namespace(): string {
  if (process.getuid?.() !== 0) skip('needs root, to make a network namespace')
  const name = `nqt-${process.env.NETQ_TEST_RUN}-monitor${++count}`
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'pipe' })
  } catch {
    skip('needs ip (iproute2), and to be allowed to make a network namespace')
  }
  onTestFinished(() => void execFileSync('ip', ['netns', 'delete', name]))
  return name
}

interface Line {
  readonly table?: string
  readonly rows?: string[]
  readonly at?: number
  readonly log?: string
  readonly stopped?: boolean
  readonly cpuMs?: number
}

/** A collector in a namespace, or in the one of the test. */
async function collector(inside?: string) {
  const argv = [process.execPath, program]
  const words = inside === undefined ? argv : ['ip', 'netns', 'exec', inside, ...argv]
  const child = spawn(words[0]!, words.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] })
  const closed = new Promise((resolve) => child.once('close', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await closed
  })
  let text = ''
  child.stdout.on('data', (data) => {
    text += data
  })
  const lines = () =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line)
  const rows = (table: string) => lines().findLast((line) => line.table === table)?.rows
  const stop = async () => {
    child.stdin.end()
    await closed
    return lines().at(-1)!
  }
  await expect.poll(() => rows('link'), { timeout: 20_000 }).toBeDefined()
  await expect.poll(() => rows('address'), { timeout: 20_000 }).toBeDefined()
  return { pid: child.pid!, rows, lines, stop }
}

/** That it is within a second is measured below, by a median: one delay of a busy machine is no failure. */
const soon = { timeout: 5000, interval: 10 }

function monitorOf(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').map(Number),
  )
  return children.filter((child) => (readIfThere(`/proc/${child}/cmdline`) ?? '').includes('monitor'))
}

it('reads this host as it is', async () => {
  const here = await collector()
  expect(here.rows('link')).toContain('lo')
  expect(here.rows('address')).toContain('127.0.0.1')
  const [monitor] = monitorOf(here.pid)
  expect(monitor).toBeGreaterThan(0)
  expect(await here.stop()).toMatchObject({ stopped: true })
  expect(readIfThere(`/proc/${monitor}/cmdline`)).toBeUndefined()
})

it('what changes in the kernel is read, each kind by its own trigger', async () => {
  const name = namespace()
  const ip = (...words: string[]) => execFileSync('ip', ['-n', name, ...words])
  const agent = await collector(name)
  ip('link', 'set', 'lo', 'up')
  await expect.poll(() => agent.rows('address'), soon).toContain('127.0.0.1')
  ip('link', 'add', 'br0', 'type', 'bridge')
  await expect.poll(() => agent.rows('link'), soon).toContain('br0')
  ip('link', 'set', 'br0', 'up')
  ip('address', 'add', '192.0.2.1/24', 'dev', 'br0')
  await expect.poll(() => agent.rows('address'), soon).toContain('192.0.2.1')
  ip('route', 'add', '198.51.100.0/24', 'via', '192.0.2.2')
  await expect.poll(() => agent.rows('route'), soon).toContain('198.51.100.0/24')
  ip('neigh', 'add', '192.0.2.7', 'lladdr', '02:00:00:00:00:07', 'dev', 'br0')
  await expect.poll(() => agent.rows('neigh'), soon).toContain('192.0.2.7')
  execFileSync('bridge', ['-n', name, 'fdb', 'add', '02:00:00:00:00:09', 'dev', 'br0', 'self'])
  await expect.poll(() => agent.rows('fdb'), soon).toContain('02:00:00:00:00:09')
  ip('link', 'delete', 'br0')
  await expect.poll(() => [agent.rows('link'), agent.rows('route')], soon).toEqual([['lo'], []])
  expect(agent.lines().filter((line) => line.log)).toEqual([])
})

it('a new address is known within a second', async () => {
  const name = namespace()
  const agent = await collector(name)
  const delays: number[] = []
  for (let i = 1; i <= 5; i++) {
    const began = Date.now()
    execFileSync('ip', ['-n', name, 'address', 'add', `192.0.2.${i}/32`, 'dev', 'lo'])
    const seen = () =>
      agent.lines().find((line) => line.table === 'address' && line.rows!.includes(`192.0.2.${i}`))
    await expect.poll(seen, soon).toBeDefined()
    delays.push(seen()!.at! - began)
  }
  expect(delays.sort((a, b) => a - b)[2]).toBeLessThan(1000)
  console.log(`address added -> read: ${delays.join(', ')} ms`)
})

it('when the monitor is killed, everything is read and it is started again', async () => {
  const name = namespace()
  const agent = await collector(name)
  const [first] = monitorOf(agent.pid)
  process.kill(first!, 'SIGKILL')
  await expect
    .poll(() => monitorOf(agent.pid).filter((pid) => pid !== first), { timeout: 5000 })
    .toHaveLength(1)
  expect(agent.lines().find((line) => line.log)?.log).toBe(
    'ip monitor ended (killed by SIGKILL): until it runs again, changes are seen at the periodic reading only',
  )
  execFileSync('ip', ['-n', name, 'link', 'add', 'br7', 'type', 'bridge'])
  await expect.poll(() => agent.rows('link'), { timeout: 5000, interval: 10 }).toContain('br7')
})

it('a churn of routes is read while it goes on, and not at every change, and its end is seen', async () => {
  const name = namespace()
  const ip = (...words: string[]) => execFileSync('ip', ['-n', name, ...words])
  ip('link', 'set', 'lo', 'up')
  const routes = Array.from({ length: 10_000 }, (_, i) => `route add 10.${i >> 8}.${i & 255}.0/24 dev lo`)
  execFileSync('ip', ['-n', name, '-b', '-'], { input: routes.join('\n') })
  const agent = await collector(name)
  await expect.poll(() => agent.rows('route')?.length, { timeout: 10_000 }).toBe(10_000)
  const readings = () => agent.lines().filter((line) => line.table === 'route').length
  const before = readings()
  const end = Date.now() + 3000
  for (let i = 0; Date.now() < end; i++) {
    ip('route', i % 2 === 0 ? 'del' : 'add', '10.0.7.0/24', 'dev', 'lo')
    await delay(5)
  }
  ip('route', 'replace', '10.0.7.0/24', 'dev', 'lo')
  ip('route', 'add', '203.0.113.0/24', 'dev', 'lo')
  await expect.poll(() => agent.rows('route')?.includes('203.0.113.0/24'), { timeout: 5000 }).toBe(true)
  const during = readings() - before
  // 250 ms of patience and four fifths of rest: at most about four a second; and it is not starved.
  expect(during).toBeGreaterThan(0)
  expect(during).toBeLessThan(16)
  const { cpuMs } = await agent.stop()
  console.log(`10,000 routes, 3 s of churn: ${during} readings, ${cpuMs} ms of processor in all`)
})
