import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ask } from '../../src/platform/ask.ts'
import { pathsUnder } from '../../src/platform/paths.ts'
import { makeServices } from '../../src/platform/services.ts'
import { skip } from '../setup/skip.ts'
import { freshAddresses } from '../support/addresses.ts'
import { RunningProgram } from '../support/running-program.ts'
import { until } from '../support/until.ts'

const activate = '/usr/bin/systemd-socket-activate'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'so-'))
})
afterEach(async () => {
  for (const name of ['redis', 'sentinel'] as const) await makeServices(pathsUnder(root)).stop(name)
  rmSync(root, { recursive: true, force: true })
})

it('cts-auth answers on the socket that systemd opened for it, and leaves it there', async () => {
  if (!existsSync(activate)) skip('needs systemd-socket-activate (systemd)')
  const [address] = freshAddresses()
  const socket = join(root, 's')
  const passed = ['NETQ_ROOT', 'NETQ_ADDRESS', 'NETQ_TEST_RUN', 'TMPDIR', 'PATH'].flatMap((name) => [
    '-E',
    name,
  ])
  const program = new RunningProgram('cts-auth', { NETQ_ROOT: root, NETQ_ADDRESS: address }, [
    activate,
    ...passed,
    '-l',
    socket,
  ])
  try {
    await until('systemd listens', 5000, () => existsSync(socket))
    // Asked before it runs: the first question starts it, and waits for it.
    const { servers } = await ask<{ servers: object[] }>(socket, '/v1/servers/show', { json: true }, 20_000)
    expect(servers).toHaveLength(1)
    expect(existsSync(pathsUnder(root).ctsAuthSocket)).toBe(false)
  } finally {
    expect(await program.stop()).toBe(0)
  }
  expect(existsSync(socket)).toBe(true)
})
