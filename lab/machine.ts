import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import type { Answer } from './command.ts'
import { until } from './until.ts'

export interface MachineParts {
  readonly name: string
  readonly address: string
  /** The file that stands for its network namespace; see LabNetwork. */
  readonly network: string
  /** Its base; see baseImage. */
  readonly base: string
  /** Where what it changes of that is kept. */
  readonly folder: string
  /** The names and addresses of all machines. */
  readonly hosts: readonly { readonly name: string; readonly address: string }[]
}

/** How long a machine may take to boot, in milliseconds; 4 s on a quiet machine with 2 cores. */
const BOOT_MS = 90_000

/** Where control groups are, in the old hierarchy, in both and in the new one; `cgroup.procs` tells which of them are there. */
const GROUPS = ['/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified', '/sys/fs/cgroup']

/**
 * Makes the control groups $1 and the disk of a machine (mounted with the options $2 at $3) and becomes its systemd-nspawn. The mount is seen by the machine
 * alone, and is gone with it; the groups are its own: machines that share one take each other's processes for theirs.
 */
const BECOME = `
for group in $1; do mkdir -p "$group" && echo $$ > "$group/cgroup.procs" || exit; done
mount -t overlay overlay -o "$2" "$3" || exit
shift 3
exec systemd-nspawn "$@"`

/** Removes the control group $1 with those in it, within 2 s. */
const REMOVE = 'for i in $(seq 20); do find "$1" -depth -type d -exec rmdir {} + && exit; sleep 0.1; done'

/**
 * A Debian machine of its own kernel's namespaces, booted with its own systemd by systemd-nspawn: its disk is an overlay over
 * the base image, its network is a namespace that exists before and after it.
 */
export class Machine {
  readonly name: string
  readonly address: string
  private readonly parts: MachineParts
  private readonly remover = () => this.remove()
  private nspawn: ChildProcess | undefined

  constructor(parts: MachineParts) {
    this.parts = parts
    this.name = parts.name
    this.address = parts.address
  }

  /** Makes its disk. */
  create(): void {
    process.on('exit', this.remover)
    const { folder, hosts, name } = this.parts
    const etc = join(folder, 'upper/etc')
    for (const path of [etc, join(folder, 'work'), join(folder, 'root')]) mkdirSync(path, { recursive: true })
    const lines = ['127.0.0.1 localhost', ...hosts.map((host) => `${host.address} ${host.name}`)]
    writeFileSync(join(etc, 'hostname'), `${name}\n`)
    writeFileSync(join(etc, 'hosts'), `${lines.join('\n')}\n`)
    writeFileSync(join(etc, 'machine-id'), `${randomBytes(16).toString('hex')}\n`)
  }

  /** Its root folder as seen from outside, while it is on. */
  get root(): string {
    return `/proc/${this.init()}/root`
  }

  /** Switches it on, and waits until it has booted. */
  async boot(): Promise<void> {
    const { base, folder, network } = this.parts
    const [root, upper, work] = ['root', 'upper', 'work'].map((name) => join(folder, name))
    const disk = `lowerdir=${base},upperdir=${upper},workdir=${work}`
    const argv = [
      ...['--quiet', '--boot', `--directory=${root}`, `--machine=${this.name}`, '--console=read-only'],
      ...[`--network-namespace-path=${network}`, '--resolv-conf=off', '--register=no', '--keep-unit'],
    ]
    const become = ['sh', '-c', BECOME, 'sh', this.groups().join(' '), disk, root!, ...argv]
    const console = openSync(join(folder, 'console'), 'a')
    this.nspawn = spawn('unshare', ['--mount', '--propagation', 'private', ...become], {
      detached: true,
      stdio: ['ignore', console, console],
    })
    closeSync(console)
    await this.booted()
  }

  /** Waits until it has booted; how it is, is for the caller to ask. */
  async booted(): Promise<void> {
    await until(`${this.name} has booted`, BOOT_MS, async () =>
      /^(running|degraded)/.test((await this.system('systemctl', 'is-system-running')).out),
    )
  }

  /** Types a command as a user in a shell of its own. */
  type(user: string, command: string): Promise<Answer> {
    return this.system('runuser', '--login', user, '--command', command)
  }

  /** Runs a program as root. */
  system(...argv: string[]): Promise<Answer> {
    const init = this.init()
    if (init === undefined) return Promise.resolve({ out: '', err: `${this.name} is off`, status: 255 })
    const words = ['--target', String(init), '--all', '--wdns=/', '--', ...argv]
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' }
    return new Promise((resolve) => {
      execFile('nsenter', words, { env, timeout: 120_000 }, (error, out, err) => {
        resolve({ out, err, status: error ? ((error.code as unknown as number) ?? 1) : 0 })
      })
    })
  }

  /** Installs packages from files, as an operator would. Rejects with what apt-get said. */
  async install(files: readonly string[]): Promise<string> {
    const places = files.map((file) => `/root/${basename(file)}`)
    for (const file of files) copyFileSync(file, join(this.root, 'root', basename(file)))
    // Also again in the version that is there.
    const options = ['--yes', '--quiet', '--reinstall']
    const { out, err, status } = await this.system('apt-get', 'install', ...options, ...places)
    if (status !== 0) throw new Error(`${this.name}: apt-get ended with status ${status}:\n${out}${err}`)
    return out
  }

  /** Whether it is on. */
  get on(): boolean {
    return this.init() !== undefined
  }

  /** Restarts it as `reboot` does: systemd-nspawn ends then, and leaves the rest to whoever started it. */
  async reboot(): Promise<void> {
    await this.system('systemctl', 'reboot')
    await this.off(BOOT_MS)
    await this.boot()
  }

  /** Waits until it is off by itself. */
  async off(ms: number): Promise<void> {
    await until(`${this.name} is off`, ms, () => !this.on)
    await this.ended()
  }

  /** Switches it on again whenever it has gone off, e.g. because somebody rebooted it. Rejects if it does not boot. */
  async keepOn(): Promise<never> {
    for (;;) {
      await this.ended()
      await this.boot()
    }
  }

  /** Pulls its plug: everything in it is gone at once. */
  async cutPower(): Promise<void> {
    this.kill()
    await this.ended()
  }

  /** Switches it off at once, and removes its disk. */
  remove(): void {
    process.off('exit', this.remover)
    this.kill()
    for (const group of this.groups().filter(existsSync)) {
      // Its groups are empty a moment after its processes were killed.
      spawnSync('sh', ['-c', REMOVE, 'sh', group], { stdio: 'ignore' })
    }
    rmSync(this.parts.folder, { recursive: true, force: true })
  }

  private groups(): string[] {
    const name = basename(this.parts.network)
    return GROUPS.filter((place) => existsSync(join(place, 'cgroup.procs'))).map((place) => join(place, name))
  }

  private kill(): void {
    const init = this.init()
    for (const pid of [init, this.nspawn?.pid]) {
      try {
        if (pid !== undefined) process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended meanwhile.
      }
    }
  }

  private async ended(): Promise<void> {
    const { nspawn } = this
    if (!nspawn || nspawn.exitCode !== null || nspawn.signalCode !== null) return
    await new Promise((resolve) => nspawn.once('exit', resolve))
  }

  /** The machine's first process as the kernel numbers it outside: the child of systemd-nspawn. */
  private init(): number | undefined {
    const parent = this.nspawn?.pid
    if (parent === undefined || this.nspawn?.exitCode !== null || this.nspawn.signalCode !== null)
      return undefined
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        const [state, of] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        if (Number(of) === parent && state !== 'Z') return Number(name)
      } catch {
        // It has ended since it was listed.
      }
    }
    return undefined
  }
}
