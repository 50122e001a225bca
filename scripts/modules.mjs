/** The packages of npm, among them Node 24, which all that is run here runs with. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { step } from './progress.mjs'
import { Sentence } from './sentence.mjs'

/**
 * @typedef {string | string[]} Names
 * @typedef {{ version?: string, integrity?: string, optional?: boolean, os?: Names, cpu?: Names, libc?: Names }} LockedPackage
 */

/**
 * The folder of the Node 24 among these packages: an optional dependency that has the binary in it (the package `node`
 * fetches it with an install script, which npm is told not to run). Not node_modules/.bin, where npm 9 does not link it.
 * @param {string} root
 */
const node24Folder = (root) => join(root, `node_modules/node-linux-${process.arch}/bin`)

/** @param {string} root */
export const node24 = (root) => join(node24Folder(root), 'node')

/**
 * The environment in which the project's programs run: its own Node and tools come first; last, where Debian has the
 * programs that are not on everyone's PATH.
 * @param {string} root
 */
export function environment(root) {
  const own = [node24Folder(root), join(root, 'node_modules/.bin')]
  return { ...process.env, PATH: [...own, process.env.PATH, '/usr/sbin', '/sbin'].join(delimiter) }
}

/**
 * Whether what is installed is what the lock file says: npm keeps its own account of what it has installed, which it
 * writes last.
 * @param {string} root
 */
export function modulesAreCurrent(root) {
  if (!existsSync(node24(root))) return false
  const account = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(account)) return false
  const wanted = packagesOf(join(root, 'package-lock.json'))
  const installed = packagesOf(account)
  return Object.entries(wanted).every(([path, entry]) => {
    const there = installed[path]
    // '' is the project itself.
    if (path === '' || (!there && entry.optional && !isForThisMachine(entry))) return true
    return there?.version === entry.version && there?.integrity === entry.integrity
  })
}

/**
 * Whether an optional package is made for this kind of machine. One that says nothing of machines belongs to another
 * optional package, and goes with it.
 * @param {LockedPackage} entry
 */
function isForThisMachine({ os, cpu, libc }) {
  if (!os && !cpu) return false
  const fits = (/** @type {Names | undefined} */ names, /** @type {string} */ name) =>
    names === undefined || [names].flat().includes(name)
  return fits(os, process.platform) && fits(cpu, process.arch) && fits(libc, 'glibc')
}

/**
 * Installs the packages of the lock file. Throws a Sentence if that is not possible.
 * @param {string} root
 * @param {number} lock the open lock file, which npm keeps locked should it outlive this process
 */
export async function installModules(root, lock) {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    const machine = `${process.platform} on ${process.arch}`
    throw new Sentence(`netq runs on Linux on x64 or arm64, and this is ${machine}. Nothing was installed.`)
  }
  await step('Installing the npm packages', () => {
    // Not `npm ci`: it refuses a lock file that lacks the packages of other kinds of machines, which npm leaves out where
    // the registry does not have them. This takes the versions of the lock file as well, and does not write to it.
    const argv = ['install', '--no-save', '--include=dev', '--include=optional', '--loglevel=error']
    const stdio = /** @type {const} */ (['ignore', 'pipe', 'pipe', lock])
    const run = spawnSync('npm', argv, {
      cwd: root,
      env: npmEnvironment(root),
      encoding: 'utf8',
      stdio: [...stdio],
    })
    if (run.error) {
      throw new Sentence(
        `npm cannot be run (${run.error.message}): install it (Debian: apt-get install npm), then try again.`,
      )
    }
    if (run.status !== 0) {
      process.stderr.write(`\n${run.stdout}${run.stderr}`)
      throw new Sentence(
        `npm install ended with ${run.signal ?? `status ${run.status}`}; what it said is above. ` +
          'The packages are not complete: run this again when the cause is gone.',
      )
    }
  })
  if (!modulesAreCurrent(root)) {
    throw new Sentence(
      'npm did not install what package-lock.json says: either that file does not fit package.json, or the registry ' +
        'lacks a package. `npm ls` tells which.',
    )
  }
  const { stdout, error } = spawnSync(node24(root), ['--version'], { encoding: 'utf8' })
  if (stdout?.startsWith('v24.')) return
  const said = error ? error.message : `it says it is ${stdout?.trim() || 'nothing'}`
  throw new Sentence(`${node24(root)} is not the Node 24 that was to be installed: ${said}.`)
}

/**
 * npm is not to run with the Node that it replaces.
 * @param {string} root
 */
function npmEnvironment(root) {
  const own = join(root, 'node_modules')
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.startsWith(own))
  const options = `${process.env.NODE_OPTIONS ?? ''} --require "${join(root, 'scripts/npm-as-node24.cjs')}"`
  return { ...process.env, PATH: path.join(delimiter), NODE_OPTIONS: options.trim() }
}

/**
 * @param {string} file
 * @returns {Record<string, LockedPackage>}
 */
function packagesOf(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages
}
