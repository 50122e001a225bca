import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ask } from '../../src/platform/ask.ts'
import { passedSocket, serviceManager } from '../../src/platform/notify.ts'
import { pathsUnder } from '../../src/platform/paths.ts'
import { makeServices } from '../../src/platform/services.ts'
import { freshAddresses } from '../support/addresses.ts'
import { NotifySocket } from '../support/notify-socket.ts'
import { RunningProgram } from '../support/running-program.ts'
import { until } from '../support/until.ts'

describe('the service manager', () => {
  it('is told nothing, and loads nothing, where no systemd started the process', async () => {
    const manager = serviceManager({}, () => expect.unreachable('it was loaded'))
    await manager.ready()
    manager.alive('working')
    manager.stopping()
  })

  it('is told of life no more often than four times in its watchdog, and of each other status', async () => {
    const told: string[] = []
    const env = { NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '400000', WATCHDOG_PID: String(process.pid) }
    const manager = serviceManager(env, async () => (state) => told.push(state))
    manager.alive('too early: systemd waits for READY first')
    await manager.ready()
    const beats = () => told.join('\n').split('WATCHDOG=1').length - 1
    const start = performance.now()
    await until('three signs of life', 5000, () => {
      manager.alive('one')
      return beats() === 3
    })
    expect(performance.now() - start).toBeGreaterThan(200)
    manager.alive('two\nlines')
    manager.stopping()
    expect(told.filter((state) => state.includes('STATUS=one'))).toHaveLength(1)
    expect([told[0], ...told.slice(-2)]).toEqual(['READY=1', 'STATUS=two lines', 'STOPPING=1'])
  })

  it.each([
    ['without a watchdog', {}],
    ['if the watchdog is for another process', { WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' }],
  ])('is told of no life %s', async (_, watchdog) => {
    const told: string[] = []
    const manager = serviceManager(
      { NOTIFY_SOCKET: '/x', ...watchdog },
      async () => (state) => told.push(state),
    )
    await manager.ready()
    manager.alive()
    expect(told).toEqual(['READY=1'])
  })
})

describe('a passed socket', () => {
  const mine = String(process.pid)
  it.each([
    ['is taken once', { LISTEN_PID: mine, LISTEN_FDS: '1', LISTEN_FDNAMES: 'x' }, { fd: 3 }],
    ["is not another process's", { LISTEN_PID: '1', LISTEN_FDS: '1' }, undefined],
    ['is none', {}, undefined],
  ])('%s', (_, env: NodeJS.ProcessEnv, socket) => {
    expect(passedSocket(env)).toEqual(socket)
    expect(env).toEqual({})
  })

  it('is one', () => {
    expect(() => passedSocket({ LISTEN_PID: mine, LISTEN_FDS: '2' })).toThrow(
      'passed 2 sockets instead of one',
    )
  })
})

describe('what the programs tell systemd', () => {
  let folder: string
  let socket: NotifySocket
  let program: RunningProgram | undefined
  const paths = () => pathsUnder(folder)
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'no-'))
    socket = await NotifySocket.at(join(folder, 'notify'))
  })
  afterEach(async () => {
    await program?.stop()
    for (const name of ['redis', 'sentinel'] as const) await makeServices(paths()).stop(name)
    socket.close()
    rmSync(folder, { recursive: true, force: true })
  })

  function start(name: string): RunningProgram {
    const [address] = freshAddresses()
    const env = {
      NETQ_ROOT: folder,
      NETQ_ADDRESS: address,
      NOTIFY_SOCKET: socket.path,
      WATCHDOG_USEC: '400000',
    }
    program = new RunningProgram(name, env)
    return program
  }

  it('netqd: ready when it answers, alive as long as it answers itself, and then no more', async () => {
    const netqd = start('netqd')
    await until('it is ready', 10_000, () => socket.count('READY') === 1)
    await ask(paths().netqdSocket, '/v1/alive')
    await until('it lives', 10_000, () => socket.count('WATCHDOG') >= 2)
    rmSync(paths().netqdSocket)
    await until('it has missed itself', 10_000, () => netqd.log.includes('WARNING: a question to myself:'))
    const last = socket.count('WATCHDOG')
    // A name that comes back proves that it went on asking meanwhile, and told nobody that it lived.
    mkdirSync(paths().netqdSocket)
    await until('it has asked again', 10_000, () => netqd.log.split('a question to myself').length > 2)
    expect(socket.count('WATCHDOG')).toBe(last)
    expect(await netqd.stop()).toBe(0)
    expect(socket.count('STOPPING')).toBe(1)
  })

  it('cts-auth: alive with each round of its loop, and what it is doing', async () => {
    const ctsAuth = start('cts-auth')
    await until('it is ready', 10_000, () => socket.count('READY') === 1)
    await ask(paths().ctsAuthSocket, '/v1/servers/show', { json: true })
    await until('it lives', 10_000, () => socket.count('WATCHDOG') >= 3)
    await until(
      'it says what it does',
      10_000,
      () => socket.count('STATUS=a single server, and in order') === 1,
    )
    expect(await ctsAuth.stop()).toBe(0)
    expect(socket.count('STOPPING')).toBe(1)
  })

  it('netq-agent: alive with what it collects, though it has no server', async () => {
    const agent = start('netq-agent')
    await until('it is ready', 10_000, () => socket.count('READY') === 1)
    await until('it lives', 20_000, () => socket.count('WATCHDOG') >= 1)
    expect(await agent.stop()).toBe(0)
    expect(socket.count('STOPPING')).toBe(1)
  })
})
