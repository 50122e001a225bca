/**
 * `npm run deb [-- --arch amd64|arm64]` builds dist/deb/netq-agent_<version>_<arch>.deb and netq-ts_<version>_<arch>.deb
 * from the bundles. The same sources give the same bytes, whenever and wherever they are built.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fill, packages } from './deb-contents.mjs'
import { step } from './progress.mjs'
import { Sentence } from './sentence.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const cpus = /** @type {const} */ ({ amd64: 'x64', arm64: 'arm64' })

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof Sentence)) throw error
  console.error(error.message)
  process.exitCode = 1
}

/** @param {string[]} words */
async function main(words) {
  const arch = archOf(words)
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const time = timeOfSources()
  const folder = mkdtempSync(join(tmpdir(), 'netq-deb-'))
  const target = join(root, 'dist/deb')
  try {
    for (const name of packages) {
      const file = join(target, `${name}_${version}_${arch}.deb`)
      await step(`Building ${name}_${version}_${arch}.deb`, async () => {
        const place = join(folder, name)
        mkdirSync(place, { recursive: true })
        await fill(name, place, {
          root,
          version,
          arch,
          cpu: cpus[arch],
          time,
          cache: join(root, 'dist/.npm'),
        })
        control(name, place, { version, arch })
        even(place, time)
        mkdirSync(target, { recursive: true })
        pack(place, file, time)
      })
      process.stdout.write(`${file}\n`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * @param {string[]} words
 * @returns {keyof typeof cpus}
 */
function archOf(words) {
  const [option, value = '', ...more] = words
  if (option === undefined) return process.arch === 'arm64' ? 'arm64' : 'amd64'
  if (option === '--arch' && more.length === 0 && (value === 'amd64' || value === 'arm64')) return value
  throw new Sentence('Usage: npm run deb [-- --arch amd64|arm64]\nNothing was built.')
}

/** The time that the files get: SOURCE_DATE_EPOCH, or that of the last commit; where there is no git, a fixed one. */
function timeOfSources() {
  const log = spawnSync('git', ['-C', root, 'log', '-1', '--format=%ct'], { encoding: 'utf8' })
  const seconds = Number(process.env.SOURCE_DATE_EPOCH || (log.status === 0 && log.stdout) || 1_767_225_600)
  return new Date(seconds * 1000)
}

/**
 * The control folder: who the package is, what runs when it is installed, its configuration, and its files' sums.
 * @param {string} name
 * @param {string} place
 * @param {{ version: string, arch: string }} build
 */
function control(name, place, { version, arch }) {
  const source = join(root, 'packaging', name)
  const folder = join(place, 'DEBIAN')
  const files = filesBelow(place)
  const size = files.reduce((sum, path) => sum + Math.ceil(lstatSync(join(place, path)).size / 1024), 0)
  const text = readFileSync(join(source, 'control'), 'utf8')
    .replaceAll('@version@', version)
    .replace('@arch@', arch)
    .replace('@size@', String(size))
  const sums = files
    .filter((path) => !path.startsWith('etc/'))
    .map((path) => `${md5(join(place, path))}  ${path}\n`)
  const conffiles = files.filter((path) => path.startsWith('etc/')).map((path) => `/${path}\n`)
  mkdirSync(folder)
  writeFileSync(join(folder, 'control'), text)
  writeFileSync(join(folder, 'conffiles'), conffiles.join(''))
  writeFileSync(join(folder, 'md5sums'), sums.join(''))
  for (const script of ['preinst', 'postinst', 'prerm', 'postrm']) {
    if (!existsSync(join(source, script))) continue
    writeFileSync(join(folder, script), readFileSync(join(source, script)))
    chmodSync(join(folder, script), 0o755)
  }
}

/** @param {string} path */
function md5(path) {
  return createHash('md5').update(readFileSync(path)).digest('hex')
}

/**
 * Whether a file is a program: packages of npm have the bit on files of all kinds.
 * @param {string} path
 */
function runs(path) {
  return (lstatSync(path).mode & 0o111) !== 0 && !path.includes('/node_modules/')
}

/**
 * Modes and times that do not tell who built it, or when.
 * @param {string} place
 * @param {Date} time
 */
function even(place, time) {
  for (const item of readdirSync(place, { withFileTypes: true })) {
    const path = join(place, item.name)
    if (item.isDirectory()) even(path, time)
    else if (place.endsWith('/etc/sudoers.d')) chmodSync(path, 0o440)
    else chmodSync(path, runs(path) ? 0o755 : 0o644)
    lutimesSync(path, time, time)
  }
  chmodSync(place, 0o755)
  lutimesSync(place, time, time)
}

/**
 * @param {string} place
 * @param {string} file
 * @param {Date} time
 */
function pack(place, file, time) {
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(time.getTime() / 1000) }
  // Level 1: 9 s and 34 MB against 60 s and 28 MB at the default level (2 cores).
  const argv = ['--root-owner-group', '-Zxz', '-z1', '--build', place, file]
  const { error, status, stderr } = spawnSync('dpkg-deb', argv, { env, encoding: 'utf8' })
  if (error) {
    throw new Sentence(
      `dpkg-deb cannot be run (${error.message}): the packages are built on Debian. Nothing was built.`,
    )
  }
  if (status !== 0) throw new Sentence(`dpkg-deb ended with status ${status}: ${stderr.trim()}`)
}

/**
 * @param {string} folder
 * @returns {string[]} relative to it, sorted
 */
function filesBelow(folder, prefix = '') {
  return readdirSync(join(folder, prefix), { withFileTypes: true })
    .flatMap((item) => {
      const path = prefix === '' ? item.name : `${prefix}/${item.name}`
      return item.isDirectory() ? filesBelow(folder, path) : [path]
    })
    .sort()
}
