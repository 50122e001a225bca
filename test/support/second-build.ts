import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const root = join(import.meta.dirname, '../..')
/** What is not of the sources. */
const LEFT = ['.git', 'dist', 'node_modules']

/**
 * Builds the packages of another version, whose Redis has another setting, from a copy of the sources.
 * @param folder a new one for the copy
 * @returns the files of netq-agent and netq-ts
 */
export function secondBuild(folder: string, version: string): string[] {
  cpSync(root, folder, { recursive: true, filter: (path) => !LEFT.includes(basename(path)) })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  change(join(folder, 'package.json'), /"version": "[^"]+"/, `"version": "${version}"`)
  change(join(folder, 'src/version.ts'), /VERSION = '[^']+'/, `VERSION = '${version}'`)
  change(join(folder, 'src/cluster/redis-conf.ts'), /tcp-keepalive 30/, 'tcp-keepalive 31')
  const build = "import('./scripts/build.mjs').then(({ build }) => build(process.cwd()))"
  for (const argv of [['--eval', build], ['scripts/deb.mjs']])
    execFileSync(process.execPath, argv, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  const debs = join(folder, 'dist/deb')
  return readdirSync(debs).map((name) => join(debs, name))
}

function change(path: string, what: RegExp, to: string): void {
  const text = readFileSync(path, 'utf8')
  if (!what.test(text)) throw new Error(`${path} has no ${what}`)
  writeFileSync(path, text.replace(what, to))
}
