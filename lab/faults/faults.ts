import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { whyNoNetwork } from '../netns.ts'
import { optionsFrom, usage } from './options.ts'

/** The checkout: this file is the bundle dist/faults.js in it. */
const checkout = dirname(import.meta.dirname)

/**
 * `npm run faults`: puts a copy of the programs aside and has the run (fault-run.ts) use those, so that one that takes hours
 * is of one version, whatever is built meanwhile. @returns the exit status
 */
async function main(words: readonly string[]): Promise<number> {
  const options = words.includes('--help') ? '' : optionsFrom(words)
  if (typeof options === 'string') {
    process.stdout.write(options === '' ? usage : `faults: ${options}\n${usage}`)
    return options === '' ? 0 : 2
  }
  const why = whyNoNetwork()
  if (why !== undefined) {
    process.stderr.write(`faults: ${why}. Nothing was started.\n`)
    return 1
  }
  const folder = mkdtempSync(join(tmpdir(), 'netq-faults-'))
  const programs = join(folder, 'dist')
  mkdirSync(programs)
  for (const name of readdirSync(import.meta.dirname)) {
    if (/\.c?js$/.test(name)) cpSync(join(import.meta.dirname, name), join(programs, name))
  }
  symlinkSync(join(checkout, 'node_modules'), join(folder, 'node_modules'))
  const child = spawn(process.execPath, [join(programs, 'fault-run.js'), ...words], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // From the terminal the run has it, too, and ends by itself; from elsewhere it has not.
    process.on(signal, () => child.kill(signal))
  }
  const status = await new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)))
  if (status === 0) rmSync(folder, { recursive: true, force: true })
  return status
}

process.exitCode = await main(process.argv.slice(2))
