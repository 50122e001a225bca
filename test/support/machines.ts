import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect } from 'vitest'
import type { Machine } from '../../lab/machine.ts'

const folder = join(import.meta.dirname, '../../dist/deb')
const arch = process.arch === 'arm64' ? 'arm64' : 'amd64'

/** The file of a package, as `npm run deb` has built it. */
export function packageFile(name: 'netq-agent' | 'netq-ts'): string {
  const file = readdirSync(folder).find((one) => one.startsWith(`${name}_`) && one.endsWith(`_${arch}.deb`))
  if (!file) throw new Error(`there is no package ${name} in ${folder}: npm run deb`)
  return join(folder, file)
}

/** Installs what a telemetry server or a node has, and lets the page's operator administer it. */
export async function installOn(machine: Machine, kind: 'server' | 'node'): Promise<void> {
  const names = kind === 'node' ? (['netq-agent'] as const) : (['netq-agent', 'netq-ts'] as const)
  await machine.install(names.map(packageFile))
  expect(await machine.system('adduser', 'cumulus', 'netq')).toMatchObject({ status: 0 })
}

/** What is kept of a machine, by the name of the file. */
const KEPT: Readonly<Record<string, readonly string[]>> = {
  journal: ['journalctl', '--no-pager', '--output=short-precise', '--no-hostname'],
  redis: ['cat', '/var/log/cts/cts-redis.log'],
  sentinel: ['cat', '/var/log/cts/cts-sentinel.log'],
  servers: ['netq', 'config', 'ts', 'show', 'server', 'config'],
  history: ['netq', 'config', 'ts', 'show', 'history'],
  units: ['systemctl', 'list-units', '--all', '--no-pager', 'netq*', 'cts*'],
}

/** Keeps the logs of the machines of a failed test, which are gone with them, in a folder that it prints. */
export function keepLogsOfFailures(machines: () => readonly Machine[]): void {
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return
    // Not in the folder of this run, which is removed at its end.
    const folder = mkdtempSync('/var/tmp/netq-machines-')
    const on = machines().filter((machine) => machine.on)
    for (const machine of on) {
      for (const [name, argv] of Object.entries(KEPT)) {
        const { out, err } = await machine.system(...argv)
        writeFileSync(join(folder, `${machine.name}.${name}`), out + err)
      }
    }
    process.stderr.write(`"${task.name}" failed: the logs of its machines are in ${folder}\n`)
  }, 120_000)
}
