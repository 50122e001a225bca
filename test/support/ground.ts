import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { LabCluster } from '../../lab/cluster.ts'
import type { Answer } from '../../lab/command.ts'
import { AGENTS_ADDRESS, clusterInNamespaces, type LabNetwork } from '../../lab/netns.ts'
import type { LabServer } from '../../lab/server.ts'
import { readSecrets } from '../../src/config/secrets.ts'
import type { ServiceName } from '../../src/platform/services.ts'
import { ADMIN, MASTER_NAME, REDIS_PORT, SENTINEL_PORT } from '../../src/store/names.ts'
import { freshAddresses } from './addresses.ts'
import { Load, type Made } from './load.ts'
import { until } from './until.ts'

const program = join(import.meta.dirname, '../../dist/netq.cjs')

/** Everything that one test of a whole cluster has: three servers, what pushes to them, and how to hurt and ask them. */
export class Ground {
  readonly cluster: LabCluster
  private readonly folder: string
  private readonly network: LabNetwork | undefined
  private readonly loads: Load[] = []
  private readonly frozen = new Set<number>()

  constructor(folder: string, cluster: LabCluster, network?: LabNetwork) {
    this.folder = folder
    this.cluster = cluster
    this.network = network
  }

  /** On three fresh addresses of the loopback. Nothing runs yet. */
  static onLoopback(): Ground {
    const folder = mkdtempSync(join(tmpdir(), 't-'))
    return new Ground(folder, new LabCluster(folder, freshAddresses(), program))
  }

  /** In network namespaces, which exist afterwards. Needs root. */
  static inNamespaces(): { ground: Ground; network: LabNetwork } {
    const folder = mkdtempSync(join(tmpdir(), 't-'))
    const prefix = `nqt-${process.env.NETQ_TEST_RUN}-${randomUUID().slice(0, 4)}-`
    const { cluster, network } = clusterInNamespaces(prefix, folder, program)
    network.create()
    return { ground: new Ground(folder, cluster, network), network }
  }

  get addresses(): [string, string, string] {
    return this.cluster.addresses as [string, string, string]
  }

  /** The server of this address. */
  at(address: string): LabServer {
    return this.cluster.servers.find((one) => one.address === address)!
  }

  /** Starts the servers and makes them a cluster with ts01 as the master. */
  async form(): Promise<void> {
    await this.cluster.start()
    await this.cluster.toldOfEachOther()
    await this.settled()
  }

  /** `netq config ts add server ...` on a server; without addresses those of the cluster in order. */
  add(name: string, addresses: readonly string[] = this.addresses): Promise<Answer> {
    return this.cluster.netq(name, 'config', 'ts', 'add', 'server', ...addresses)
  }

  /** What `netq config ts show server` says on a server, a line each: "<address> <role> <master> <status>". */
  async shown(name: string): Promise<string[]> {
    const { out } = await this.cluster.netq(name, 'config', 'ts', 'show', 'server', 'json')
    const { servers } = JSON.parse(out) as { servers: Record<string, string>[] }
    return servers.map((line) => `${line.server} ${line.role} ${line.master} ${line.status}`)
  }

  /** Waits until all three servers say the same: one master, two replicas, all ok. @returns the master's address */
  async settled(ms = 40_000): Promise<string> {
    let master = ''
    await until('all three servers show one master and are ok', ms, async () => {
      const [first, ...others] = await Promise.all(this.cluster.servers.map(({ name }) => this.shown(name)))
      const said = first!.map((line) => line.split(' '))
      const [one, ...more] = said.filter(([, role]) => role === 'master')
      master = one?.[0] ?? ''
      const right =
        more.length === 0 && said.every(([, , of, ...status]) => of === master && `${status}` === 'ok')
      if (!right || others.some((lines) => lines.join() !== first!.join()))
        throw new Error([first, ...others].map((lines) => lines!.join('; ')).join(' | '))
      return true
    })
    return master
  }

  /** Agents (or plain writers) that push from now on, and have been acknowledged something. */
  async load(
    made: Pick<Made, 'kind' | 'count' | 'replicas'>,
    servers = this.cluster.addresses,
  ): Promise<Load> {
    const folder = join(this.folder, 'load')
    const load = new Load({ ...made, servers, folder }, this.network?.inside(AGENTS_ADDRESS))
    this.loads.push(load)
    load.start()
    await until('changes are acknowledged', 30_000, async () => (await load.acknowledged()) > 10 * made.count)
    return load
  }

  /** Ends the load, and expects that all three servers hold every acknowledged change once, in order. */
  async expectWhole(load: Load): Promise<void> {
    await load.quiet()
    await until('everything is acknowledged', 20_000, () => load.complete())
    for (const server of this.cluster.servers) {
      await until(`${server.name} holds everything once`, 10_000, async () => {
        const { acknowledged: _, ...verdict } = await load.check(server)
        expect(verdict).toEqual({ lost: 0, duplicated: 0, faults: [] })
        return true
      })
    }
  }

  /** What a server's Redis answers to its administrator, as redis-cli prints it. Rejects if it does not answer. */
  redis(address: string, ...words: string[]): Promise<string> {
    return this.ask(address, REDIS_PORT, words)
  }

  /** The same of its Sentinel. */
  sentinel(address: string, ...words: string[]): Promise<string> {
    return this.ask(address, SENTINEL_PORT, words)
  }

  /** Waits until one of these says that it is the master. @returns which */
  async promoted(...candidates: string[]): Promise<string> {
    let master: string | undefined
    await until(`one of ${candidates.join(', ')} is promoted`, 45_000, async () => {
      for (const ip of candidates) if (await this.isMaster(ip).catch(() => false)) master = ip
      return master !== undefined
    })
    return master!
  }

  /** Whether this server's Redis says that it is a master. */
  async isMaster(address: string): Promise<boolean> {
    return (await this.redis(address, 'ROLE')).startsWith('master')
  }

  /** The master that this server's Sentinel names. */
  async named(address: string): Promise<string> {
    return (await this.sentinel(address, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME)).split('\n')[0]!
  }

  /** One field of INFO. */
  async info(address: string, section: string, field: string): Promise<string | undefined> {
    return new RegExp(`^${field}:(.*?)\r?$`, 'm').exec(await this.redis(address, 'INFO', section))?.[1]
  }

  /** What the Sentinels wrote down so far. */
  sentinelLogs(): string {
    return this.cluster.servers.map(({ paths }) => readFileSync(paths.sentinelLog, 'utf8')).join('')
  }

  /** Freezes a process of a server (SIGSTOP), as a pause of its virtual machine does. */
  async pause(address: string, service: ServiceName): Promise<void> {
    const { pid } = (await this.at(address).services.running(service))!
    this.frozen.add(pid)
    process.kill(pid, 'SIGSTOP')
  }

  async resume(address: string, service: ServiceName): Promise<void> {
    const { pid } = (await this.at(address).services.running(service))!
    this.frozen.delete(pid)
    process.kill(pid, 'SIGCONT')
  }

  async stop(): Promise<void> {
    for (const pid of this.frozen) {
      try {
        process.kill(pid, 'SIGCONT')
      } catch {
        // The test has ended it.
      }
    }
    await Promise.all(this.loads.map((load) => load.stop()))
    await this.cluster.stop()
    this.network?.remove()
    rmSync(this.folder, { recursive: true, force: true })
  }

  private ask(address: string, port: number, words: readonly string[]): Promise<string> {
    const { admin } = readSecrets(this.at(address).paths)!
    const argv = ['redis-cli', '-e', '-h', address, '-p', String(port), '--user', ADMIN, ...words]
    const [command = '', ...rest] = [...(this.network?.inside(address) ?? []), ...argv]
    const env = { ...process.env, REDISCLI_AUTH: admin }
    return new Promise((resolve, reject) => {
      execFile(command, rest, { env, timeout: 5000 }, (error, out, err) => {
        if (error) reject(new Error(`${address}:${port} ${err.trim() || out.trim() || error.message}`))
        else resolve(out.trim())
      })
    })
  }
}
