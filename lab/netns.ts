import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { LabCluster } from './cluster.ts'

/** A machine of the lab's network: its name, at most 8 letters or digits, and its IPv4 address, in one /24 with the others'. */
interface Host {
  readonly name: string
  readonly address: string
}

/** What packets are sent to while two hosts cannot reach each other: nobody has this hardware address. */
const NOBODY = '02:00:00:00:00:01'

/** Why there can be no network of namespaces here, in a few words; undefined if there can be one. */
export function whyNoNetwork(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  const probe = `nqt-${process.env.NETQ_TEST_RUN}-probe`
  try {
    ip('netns', 'add', probe)
    ip('-n', probe, 'link', 'add', 'br0', 'type', 'bridge')
    return undefined
  } catch {
    return 'this system cannot make network namespaces with a bridge'
  } finally {
    if (existsSync(`/run/netns/${probe}`)) ip('netns', 'delete', probe)
  }
}

/**
 * Hosts in network namespaces of their own, joined by a bridge in another one, so that nothing of it is seen outside.
 * What is cut is cut silently: packets leave and nobody takes them. (A blackhole route would tell the sender at once,
 * "Invalid argument", which a cable that was pulled does not.)
 */
export class LabNetwork {
  private readonly prefix: string
  private readonly hosts: readonly Host[]
  private readonly remover = () => this.remove()
  /** "<from> <to>" -> how many cuts of this direction are in force: each is mended by whoever made it. */
  private readonly cuts = new Map<string, number>()

  /** @param prefix how the names of the namespaces begin, e.g. `nqt-x1-` */
  constructor(prefix: string, hosts: readonly Host[]) {
    this.prefix = prefix
    this.hosts = hosts
  }

  create(): void {
    process.on('exit', this.remover)
    const bridge = this.namespace('bridge')
    ip('netns', 'add', bridge)
    ip('-n', bridge, 'link', 'add', 'br0', 'type', 'bridge')
    ip('-n', bridge, 'link', 'set', 'br0', 'up')
    for (const { name, address } of this.hosts) {
      const own = this.namespace(name)
      ip('netns', 'add', own)
      ip('link', 'add', 'eth0', 'netns', own, 'type', 'veth', 'peer', 'name', name, 'netns', bridge)
      ip('-n', bridge, 'link', 'set', name, 'master', 'br0', 'up')
      ip('-n', own, 'addr', 'add', `${address}/24`, 'dev', 'eth0')
      ip('-n', own, 'link', 'set', 'eth0', 'up')
      ip('-n', own, 'link', 'set', 'lo', 'up')
    }
  }

  /** What to put before a command to run it on this host. */
  inside(address: string): string[] {
    return ['nsenter', `--net=${this.pathOf(address)}`]
  }

  /** The file that stands for this host's namespace. */
  pathOf(address: string): string {
    return `/run/netns/${this.namespace(this.host(address).name)}`
  }

  /** These two do not reach each other any more; the others do. */
  partition(a: string, b: string): void {
    this.cut(a, b)
    this.cut(b, a)
  }

  /** What `from` sends does not reach `to` any more; the other direction is as it was. */
  cut(from: string, to: string): void {
    const cuts = this.cuts.get(`${from} ${to}`) ?? 0
    if (cuts === 0) ip(...this.neighbour(from, 'replace', to), 'lladdr', NOBODY, 'nud', 'permanent')
    this.cuts.set(`${from} ${to}`, cuts + 1)
  }

  /** Takes one cut of this direction back. */
  mend(from: string, to: string): void {
    const cuts = this.cuts.get(`${from} ${to}`) ?? 0
    if (cuts === 1) ip(...this.neighbour(from, 'delete', to))
    if (cuts > 1) this.cuts.set(`${from} ${to}`, cuts - 1)
    else this.cuts.delete(`${from} ${to}`)
  }

  /**
   * What this host sends goes through a narrow line with a short queue: it comes late, and what is too much is lost. (Loss
   * and delay by themselves would take netem, which not every kernel has.)
   * @param rate as `tc` writes it, e.g. `1mbit`
   * @param queueMs how much may wait, in milliseconds of that rate
   */
  narrow(address: string, rate: string, queueMs: number): void {
    tc(
      '-n',
      this.namespace(this.host(address).name),
      'qdisc',
      'replace',
      'dev',
      'eth0',
      'root',
      'tbf',
      'rate',
      rate,
      'burst',
      '4kb',
      'latency',
      `${queueMs}ms`,
    )
  }

  /** The line is as wide as before. */
  widen(address: string): void {
    tc('-n', this.namespace(this.host(address).name), 'qdisc', 'delete', 'dev', 'eth0', 'root')
  }

  /** Every address in this network. */
  get addresses(): string[] {
    return this.hosts.map(({ address }) => address)
  }

  /** This host reaches nobody any more. */
  isolate(address: string): void {
    for (const other of this.hosts) if (other.address !== address) this.partition(address, other.address)
  }

  /** Everybody reaches everybody again. */
  heal(): void {
    for (const cut of this.cuts.keys()) {
      const [at = '', other = ''] = cut.split(' ')
      ip(...this.neighbour(at, 'delete', other))
    }
    this.cuts.clear()
  }

  /** Ends what still runs on the hosts, and removes all of it. */
  remove(): void {
    process.off('exit', this.remover)
    for (const name of [...this.hosts.map((host) => host.name), 'bridge']) {
      const namespace = this.namespace(name)
      if (!existsSync(`/run/netns/${namespace}`)) continue
      for (const pid of ip('netns', 'pids', namespace).split('\n').filter(Boolean)) endNow(Number(pid))
      ip('netns', 'delete', namespace)
    }
  }

  private neighbour(at: string, verb: string, other: string): string[] {
    return ['-n', this.namespace(this.host(at).name), 'neighbour', verb, other, 'dev', 'eth0']
  }

  private host(address: string): Host {
    const host = this.hosts.find((one) => one.address === address)
    if (!host) throw new Error(`there is no host ${address} in this network`)
    return host
  }

  private namespace(name: string): string {
    return `${this.prefix}${name}`
  }
}

/** Where the agents of a cluster in namespaces are, beside its servers on .5, .6 and .7. */
export const AGENTS_ADDRESS = '10.99.1.9'
/** Where another server may be started, to take the place of one of them. */
export const SPARE_ADDRESS = '10.99.1.8'

/**
 * A cluster whose three servers are hosts of a network of their own, which has a fourth for agents and a spare one. The
 * network has to be created before the cluster is started, and removed after it was stopped.
 * @param prefix see LabNetwork
 * @param environment see LabServer; by address
 */
export function clusterInNamespaces(
  prefix: string,
  folder: string,
  program: string,
  environment?: (address: string) => NodeJS.ProcessEnv,
): { cluster: LabCluster; network: LabNetwork } {
  const servers = [5, 6, 7].map((last, i) => ({ name: `ts0${i + 1}`, address: `10.99.1.${last}` }))
  const network = new LabNetwork(prefix, [
    ...servers,
    { name: 'ts04', address: SPARE_ADDRESS },
    { name: 'agents', address: AGENTS_ADDRESS },
  ])
  const addresses = servers.map(({ address }) => address)
  const cluster = new LabCluster(
    folder,
    addresses,
    program,
    (address) => network.inside(address),
    environment,
  )
  return { cluster, network }
}

function ip(...argv: string[]): string {
  return execFileSync('ip', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function tc(...argv: string[]): string {
  return execFileSync('tc', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function endNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself meanwhile.
  }
}
