import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const SUITE = 'bookworm'
/** A small Debian with what netq's packages depend on, so that they install without a network. */
const PACKAGES = [
  ...['systemd-sysv', 'dbus', 'iproute2', 'procps', 'sudo', 'adduser', 'openssl', 'ca-certificates'],
  ...['redis-server', 'redis-sentinel', 'influxdb', 'rsyslog', 'logrotate'],
]
/** The page's operator. */
export const OPERATOR = 'cumulus'

/** Why no machines can be booted here, in a few words; undefined if they can. */
export function whyNoMachines(): string | undefined {
  if (process.getuid?.() !== 0) return 'booting machines needs root'
  const missing = ['systemd-nspawn', 'debootstrap'].filter((program) => !onPath(program))
  if (missing.length > 0)
    return `booting machines needs ${missing.join(' and ')} (apt-get install systemd-container debootstrap)`
  const overlay = spawnSync('grep', ['-qw', 'overlay', '/proc/filesystems']).status === 0
  if (!overlay && spawnSync('modprobe', ['overlay'], { stdio: 'ignore' }).status !== 0)
    return 'booting machines needs the file system overlay, which this kernel has not'
  return undefined
}

/**
 * The folder with the base of all machines. Made once, in a minute, with debootstrap, and kept in the user's cache; it is only
 * ever read after that.
 * Throws what debootstrap said if it cannot be made.
 */
export function baseImage(): string {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'netq-lab')
  const name = createHash('sha256').update(`2 ${SUITE} ${PACKAGES.join()}`).digest('hex').slice(0, 12)
  const image = join(cache, `debian-${SUITE}-${name}`)
  if (existsSync(image)) return image
  mkdirSync(cache, { recursive: true })
  const fresh = `${image}.${process.pid}`
  try {
    const argv = ['--variant=minbase', `--include=${PACKAGES.join()}`, SUITE, fresh, mirror()]
    const run = spawnSync('debootstrap', argv, { encoding: 'utf8' })
    if (run.status !== 0) {
      const said = run.stdout.trim().split('\n').slice(-5).join('\n')
      throw new Error(`debootstrap could not make the base of the machines:\n${said}`)
    }
    prepare(fresh)
    renameSync(fresh, image)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
  return image
}

function prepare(image: string): void {
  execFileSync('chroot', [image, 'useradd', '--create-home', '--shell', '/bin/bash', OPERATOR])
  writeFileSync(join(image, 'etc/sudoers.d/operator'), `${OPERATOR} ALL=(ALL) NOPASSWD: ALL\n`, {
    mode: 0o440,
  })
  // It asks for the runlevel over D-Bus, and fails on a loaded machine when the answer takes too long.
  symlinkSync('/dev/null', join(image, 'etc/systemd/system/systemd-update-utmp-runlevel.service'))
  for (const folder of ['var/cache/apt/archives', 'var/lib/apt/lists']) {
    for (const entry of readdirSync(join(image, folder)))
      rmSync(join(image, folder, entry), { recursive: true })
  }
}

/** Where this machine has its Debian from, if it is one. */
function mirror(): string {
  const format = ['--format', '$(SITE)', 'Created-By: Packages', 'Origin: Debian', `Codename: ${SUITE}`]
  const { stdout } = spawnSync('apt-get', ['indextargets', ...format], { encoding: 'utf8' })
  return stdout?.split('\n')[0]?.trim() || 'http://deb.debian.org/debian'
}

function onPath(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0
}
