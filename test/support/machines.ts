import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
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
