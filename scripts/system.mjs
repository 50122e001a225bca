/** The programs of the system that the demo and the tests run, and the Debian packages that have them. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { step } from './progress.mjs'
import { Sentence } from './sentence.mjs'

/** @type {readonly (readonly [program: string, debianPackage: string])[]} */
const needed = [
  ['redis-server', 'redis-server'],
  ['redis-sentinel', 'redis-sentinel'],
  ['ip', 'iproute2'],
  ['openssl', 'openssl'],
]

/**
 * What the interface statistics are kept in: without it there are none, and all else works.
 * @type {readonly [program: string, debianPackage: string]}
 */
const influx = ['influxd', 'influxdb']

/**
 * What sets the clock of one server of the fault harness: without it there are no jumps of clocks, and all else works.
 * @type {typeof influx}
 */
const faketime = ['faketime', 'faketime']

/**
 * What booting machines takes on top of that. Only root can boot them, so it is asked for only then.
 * @type {typeof needed}
 */
const neededForMachines = [
  ['debootstrap', 'debootstrap'],
  ['systemd-nspawn', 'systemd-container'],
]

/**
 * What the decision depends on.
 * @typedef {object} Probes
 * @property {(program: string) => boolean} has whether the program can be run
 * @property {boolean} root
 * @property {boolean} terminal whether someone could type a password
 * @property {() => boolean} freeSudo whether sudo asks for none
 */

/**
 * @typedef {{ act: 'nothing' }
 *   | { act: 'install', packages: string[], as: readonly string[] }
 *   | { act: 'refuse', sentence: string }} Plan
 */

/**
 * Decides what is to be done about the system's programs; `as` is what to put before the command.
 * @param {Probes} probes
 * @param {typeof needed} wanted
 * @returns {Plan}
 */
export function planSystem({ has, root, terminal, freeSudo }, wanted = needed) {
  const missing = wanted.filter(([program]) => !has(program))
  if (missing.length === 0) return { act: 'nothing' }
  const programs = missing.map(([program]) => program).join(', ')
  const packages = missing.map(([, debianPackage]) => debianPackage)
  if (!has('apt-get')) {
    const sentence = `${programs} must be installed, and this system has no apt-get to do it with (Debian 12 is what is tested).`
    return { act: 'refuse', sentence: `${sentence} Nothing was changed. Install them, then run this again.` }
  }
  if (root) return { act: 'install', packages, as: [] }
  if (has('sudo')) {
    if (freeSudo()) return { act: 'install', packages, as: ['sudo', '-n'] }
    if (terminal) return { act: 'install', packages, as: ['sudo'] }
  }
  const command = `apt-get update && apt-get install --yes ${packages.join(' ')}`
  return {
    act: 'refuse',
    sentence: `${programs} must be installed, and you are not root. Nothing was changed. As root, run: ${command}`,
  }
}

/**
 * Decides whether something that is good to have is to be installed: only where that takes no password and the system
 * offers it.
 * @param {Pick<Probes, 'has' | 'root' | 'freeSudo'> & { offers: (debianPackage: string) => boolean }} probes
 * @returns {Exclude<Plan, { act: 'refuse' }>}
 */
export function planExtra({ has, root, freeSudo, offers }, [program, debianPackage] = influx) {
  if (has(program) || !has('apt-get') || !offers(debianPackage)) return { act: 'nothing' }
  if (root) return { act: 'install', packages: [debianPackage], as: [] }
  if (has('sudo') && freeSudo()) return { act: 'install', packages: [debianPackage], as: ['sudo', '-n'] }
  return { act: 'nothing' }
}

/** Installs what is missing; nothing is said or done when nothing is. Throws a Sentence if that is not possible. */
export async function ensureSystem({ machines = false, clocks = false } = {}) {
  const probes = {
    has: onPath,
    root: process.getuid?.() === 0,
    terminal: process.stdin.isTTY === true,
    freeSudo: () => spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0,
  }
  const plan = planSystem(probes, machines && probes.root ? [...needed, ...neededForMachines] : needed)
  if (plan.act === 'refuse') throw new Sentence(plan.sentence)
  if (plan.act === 'install') await install(plan)
  const ensureExtra = async (/** @type {typeof influx} */ extra, /** @type {string} */ without) => {
    const more = planExtra({ ...probes, offers }, extra)
    if (more.act !== 'install') return
    await install(more).catch((error) => {
      if (!(error instanceof Sentence)) throw error
      console.error(`${error.message} ${without}`)
    })
  }
  await ensureExtra(influx, 'There will be no interface statistics.')
  if (clocks) await ensureExtra(faketime, 'There will be no jumps of clocks.')
}

/**
 * Whether the lists of packages have this one, as far as they are there: lists that lack Redis too are no lists.
 * @param {string} debianPackage
 */
function offers(debianPackage) {
  const known = (/** @type {string} */ name) => {
    const { stdout } = spawnSync('apt-cache', ['policy', name], { encoding: 'utf8' })
    return /Candidate: [^(\s]/.test(stdout ?? '')
  }
  return known(debianPackage) || !known('redis-server')
}

/** @param {{ packages: string[], as: readonly string[] }} plan */
async function install({ packages, as }) {
  await step(`Installing Debian's ${packages.join(', ')}${as.length > 0 ? ' with sudo' : ''}`, () => {
    const argv = [...as, 'sh', '-c', installation, 'sh', ...packages]
    // A password is asked for on the terminal itself, so the output can be kept for the case that it is of interest.
    const run = spawnSync(argv[0] ?? '', argv.slice(1), {
      stdio: ['inherit', 'pipe', 'pipe'],
      encoding: 'utf8',
    })
    if (run.status === 0) return
    process.stderr.write(`\n${run.stdout}${run.stderr}`)
    const why = run.error ? run.error.message : `status ${run.status ?? run.signal}`
    throw new Sentence(`apt-get could not install ${packages.join(', ')} (${why}); what it said is above.`)
  })
}

/**
 * Run as root by sh; its arguments are the packages. Debian starts a service that it installs, and at every boot: a
 * Redis or an InfluxDB that nobody asked for. The policy keeps it from starting, unless the machine has a policy of its own; it holds
 * only while this shell lives, so that it does no harm should it be left behind. Lists that cannot be refreshed may
 * still be good enough.
 */
const installation = `
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\\n[ -d /proc/%s ] && exit 101\\nexit 0\\n' $$ >$policy
  chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends "$@" || exit
for package; do
  case $package in redis-* | influxdb) systemctl disable "$package" 2>&1 || true ;; esac
done
`

/**
 * Whether a program is on the PATH, or where Debian has those for root.
 * @param {string} program
 */
function onPath(program) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
