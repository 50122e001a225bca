import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { sentenceOf } from '../src/platform/log.ts'
import { baseImage, OPERATOR, whyNoMachines } from './base-image.ts'
import { MachineSet, PAGE } from './machine-set.ts'
import { Progress } from './progress.ts'
import { signalled } from './signalled.ts'

const usage = `Usage: npm run lab -- machines
  boots the page's machines (${PAGE.map(({ name }) => name).join(', ')}) with netq's packages, until Ctrl-C
`
/** The packages: this file is lab/machines.ts in the checkout, or dist/machines.js once bundled. */
const packages = join(dirname(import.meta.dirname), 'dist/deb')

/** `on <machine> [command]`: finds the first process of the machine, which is another one after each reboot. */
const ENTER = `#!/bin/sh
name=$1
shift
init=$(pgrep -P "$(pgrep -of "^systemd-nspawn .*/@prefix@$name ")") || {
	echo "$name is off, or no machine of this lab." >&2
	exit 1
}
[ $# = 0 ] || set -- --command "$*"
exec nsenter --all --wdns=/ --target "$init" runuser --login ${OPERATOR} "$@"
`

/** Boots the page's machines for a person to play with. @returns the exit status */
async function main(words: readonly string[]): Promise<number> {
  if (words.join(' ') !== 'machines') {
    process.stdout.write(usage)
    return 2
  }
  const why = whyNoMachines()
  if (why !== undefined) {
    process.stderr.write(`lab: ${why}. Nothing was started.\n`)
    return 1
  }
  const debs = existsSync(packages) ? readdirSync(packages).map((name) => join(packages, name)) : []
  const of = (name: string) =>
    debs.filter((path) => path.includes(`/${name}_`) && path.endsWith('_amd64.deb'))
  const progress = new Progress(process.stdout)
  const folder = mkdtempSync(join(tmpdir(), 'netq-machines-'))
  const interrupted = signalled()
  const prefix = `nq${process.pid}-`
  let set: MachineSet | undefined
  try {
    const base = await progress.step('the base of the machines is there', async () => baseImage())
    set = new MachineSet(prefix, folder, base)
    set.create()
    const { machines } = set
    await progress.step(`${machines.length} machines boot`, () =>
      Promise.all(machines.map((one) => one.boot())),
    )
    await progress.step('the packages are installed', () =>
      Promise.all(
        machines.map(async (machine) => {
          await machine.install([...of('netq-agent'), ...(machine.name === 'switch' ? [] : of('netq-ts'))])
          await machine.system('adduser', OPERATOR, 'netq')
        }),
      ),
    )
    const enter = join(folder, 'on')
    writeFileSync(enter, ENTER.replace('@prefix@', prefix), { mode: 0o755 })
    const lines = machines.map(({ name, address }) => `  ${enter} ${name.padEnd(7)} # ${address}\n`)
    process.stdout.write(`\nA shell on each, as root from a second terminal, or a command after its name:\n${lines.join('')}
On ts01, ts02 and ts03: netq config ts add server 10.0.0.5 10.0.0.6 10.0.0.7
A machine that you reboot or switch off is switched on again. Ctrl-C switches them off and removes them.\n`)
    await Promise.race([interrupted, ...machines.map((machine) => machine.keepOn())])
    return 0
  } catch (error) {
    process.stderr.write(`lab: ${sentenceOf(error)}\n`)
    return 1
  } finally {
    set?.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

process.exitCode = await main(process.argv.slice(2))
process.exit()
