import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask } from '../../src/platform/ask.ts'
import { type Paths, pathsUnder } from '../../src/platform/paths.ts'
import { makeServices } from '../../src/platform/services.ts'
import { freshAddresses } from '../support/addresses.ts'
import { RunningProgram } from '../support/running-program.ts'
import { until } from '../support/until.ts'
import { type Ended, needsUsers, runAs, type User } from '../support/user.ts'

/** Numbers that no user or group of a machine has. */
const nobody: User = { uid: 61_234 }
const ADMINISTRATORS = 61_235
const member: User = { uid: 61_236, groups: [61_237, ADMINISTRATORS] }

let folder: string
let program: string
let paths: Paths
let ctsAuth: RunningProgram
const [address, second, third] = freshAddresses()

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ac-'))
  for (const path of [tmpdir(), folder]) chmodSync(path, 0o711)
  program = join(folder, 'netq.cjs')
  copyFileSync(join(import.meta.dirname, '../../dist/netq.cjs'), program)
  paths = pathsUnder(join(folder, 'root'))
  mkdirSync(dirname(paths.groups), { recursive: true })
  writeFileSync(paths.groups, `root:x:0:\nnetq-other:x:61234:\nnetq:x:${ADMINISTRATORS}:alice\n`)
  ctsAuth = new RunningProgram('cts-auth', { NETQ_ROOT: paths.root, NETQ_ADDRESS: address })
  await until('cts-auth answers', 10_000, async () => {
    await ask(paths.ctsAuthSocket, '/v1/servers/show', { json: true })
    return true
  })
})
afterAll(async () => {
  await ctsAuth.stop()
  for (const name of ['redis', 'sentinel'] as const) await makeServices(paths).stop(name)
  rmSync(folder, { recursive: true, force: true })
})

const netq = (user: User, ...words: string[]): Promise<Ended> =>
  runAs(user, [process.execPath, program, ...words], { NETQ_ROOT: paths.root })
const addServers = ['config', 'ts', 'add', 'server', address, second, third]

describe('on a telemetry server, a user who is not in the group netq', () => {
  it('may look', async () => {
    needsUsers(nobody, program, process.execPath)
    const shown = await netq(nobody, 'config', 'ts', 'show', 'server')
    expect(shown).toMatchObject({ status: 0, err: '' })
    expect(shown.out).toContain(address)
    expect(await netq(nobody, 'config', 'ts', 'show', 'server', 'config')).toMatchObject({ status: 0 })
    expect(await netq(nobody, 'config', 'ts', 'status', 'notifier')).toMatchObject({ status: 0 })
    expect(await netq(nobody, 'config', 'ts', 'show', 'notifier')).toMatchObject({ status: 0 })
    expect(await netq(nobody, 'config', 'ts', 'show', 'notifier', 'json')).toMatchObject({ status: 0 })
  })

  it.each([
    [addServers, 'add server'],
    [[...addServers, 'dry-run'], 'add server'],
    [['config', 'ts', 'del', 'server', 'yes'], 'del server'],
    [['config', 'ts', 'reset-cluster', 'yes'], 'reset-cluster'],
    [['config', 'ts', 'step-down'], 'step-down'],
    [['config', 'ts', 'stop', 'notifier'], 'start|stop|restart notifier'],
  ])('may not change anything: %j', async (words, command) => {
    needsUsers(nobody, program, process.execPath)
    expect(await netq(nobody, ...words)).toEqual({
      status: 1,
      out: '',
      err: `netq config ts ${command} needs root or the group netq: type it again with sudo. Nothing was changed.\n`,
    })
    const line = `WARNING: refused netq config ts ${command} to uid ${nobody.uid} (pid `
    await until('it is logged', 5000, () => ctsAuth.log.includes(line))
    expect(existsSync(paths.clusterState)).toBe(false)
  })

  it('is refused what nobody has thought of', async () => {
    needsUsers(nobody, program, process.execPath)
    const code = `require('node:http').request({ socketPath: '${paths.ctsAuthSocket}', path: '/v1/log-in', method: 'POST',
      headers: { 'content-type': 'application/json' } }, (r) => r.pipe(process.stdout)).end('{"user":"root","password":"x"}')`
    const asked = await runAs(nobody, [process.execPath, '-e', code], {})
    expect(asked.out).toContain('needs root or the group netq')
  })
})

it('a member of the group netq may change things, and that is logged', async () => {
  needsUsers(member, program, process.execPath)
  const added = await netq(member, ...addServers)
  expect(added).toMatchObject({ status: 0, err: '' })
  expect(added.out).toContain('1 of 3 servers are configured.')
  expect(existsSync(paths.clusterState)).toBe(true)
  expect(ctsAuth.log).toMatch(/INFO: netq config ts add server, by uid 61236 \(pid \d+\)\n/)
})

describe('on a node, a user who is not root', () => {
  const onNode = (...words: string[]) => runAs(nobody, [process.execPath, program, ...words], {})

  it.each([
    ['config add server 10.0.0.5 10.0.0.6 10.0.0.7 vrf mgmt'],
    ['config del server'],
    ['config restart agent'],
    ['config add agent stats'],
  ])('is refused with what to type: %s', async (command) => {
    needsUsers(nobody, program, process.execPath)
    expect(await onNode(...command.split(' '))).toEqual({
      status: 1,
      out: '',
      err: `netq: that needs root, and nothing was changed. Type: sudo netq ${command}\n`,
    })
  })
})
