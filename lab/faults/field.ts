import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { readSecrets } from '../../src/config/secrets.ts'
import { sentenceOf } from '../../src/platform/log.ts'
import { connect } from '../../src/store/connection.ts'
import { ADMIN, REDIS_PORT } from '../../src/store/names.ts'
import type { LabCluster } from '../cluster.ts'
import { type Running, run } from '../command.ts'
import { AGENTS_ADDRESS, clusterInNamespaces, type LabNetwork, SPARE_ADDRESS } from '../netns.ts'
import { LabServer } from '../server.ts'
import { until } from '../until.ts'
import { FaultAgent } from './agent.ts'
import type { Settings } from './agent-settings.ts'
import { Clocks } from './clocks.ts'
import { Disks } from './disks.ts'
import type { Random } from './random.ts'
import { type Agreement, agreement, masterNow } from './roles.ts'

export interface FieldOptions {
  /** Everything is below it; it may exist, and is not removed. */
  readonly folder: string
  /** How the names of the network namespaces begin. */
  readonly prefix: string
  /** Where the bundled programs are. */
  readonly programs: string
  readonly agents: Pick<Settings, 'kind' | 'changesPerSecond' | 'replicas' | 'resends'> & {
    readonly count: number
    /** Which of the cluster's servers an agent is told; without it all. */
    readonly servers?: (members: readonly string[], index: number) => readonly string[]
  }
}

/** What the faults happen to: three servers and a spare one, their network, disks and clocks, and agents that push. */
export class Field {
  readonly cluster: LabCluster
  readonly network: LabNetwork
  readonly disks = new Disks()
  readonly clocks: Clocks | undefined
  readonly agents: readonly FaultAgent[]
  /** The addresses of the servers of the cluster, in the operator's order, as they agreed on last. */
  members: readonly string[]
  private readonly options: FieldOptions
  private door: ChildProcess | undefined

  constructor(options: FieldOptions) {
    const { folder, prefix, programs, agents } = options
    mkdirSync(folder, { recursive: true })
    this.options = options
    const clocks = Clocks.in(folder)
    this.clocks = clocks
    const environment = (address: string) => clocks?.environment(address) ?? {}
    const { cluster, network } = clusterInNamespaces(prefix, folder, join(programs, 'netq.cjs'), environment)
    this.cluster = cluster
    this.network = network
    this.members = cluster.addresses
    const inside = network.inside(AGENTS_ADDRESS)
    const { count, servers = (members) => members, ...kind } = agents
    this.agents = Array.from({ length: count }, (_, i) => {
      const host = `agent${i + 1}`
      const journal = join(folder, `${host}.journal`)
      const settings = { ...kind, host, root: join(folder, host), servers: servers(this.members, i), journal }
      return new FaultAgent(settings, join(programs, 'fault-agent.js'), inside)
    })
    const spare = join(folder, 'ts04')
    cluster.add(
      new LabServer('ts04', SPARE_ADDRESS, spare, network.inside(SPARE_ADDRESS), environment(SPARE_ADDRESS)),
    )
  }

  get servers(): readonly LabServer[] {
    return this.cluster.servers
  }

  /** Everything starts, the cluster is formed by the page's own command, and the agents push. */
  async start(): Promise<void> {
    this.network.create()
    for (const { paths } of this.servers) this.disks.mount(paths.root)
    for (const { root } of this.agents) this.disks.mount(root)
    await this.cluster.start()
    await this.cluster.toldOfEachOther(this.members)
    await this.agreed(60_000)
    await this.openDoors()
    for (const agent of this.agents) agent.start()
  }

  at(address: string): LabServer {
    return this.servers.find((server) => server.address === address)!
  }

  /** The servers that are in the cluster. */
  get own(): LabServer[] {
    return this.members.map((ip) => this.at(ip))
  }

  /** The server that is not. */
  get spare(): LabServer {
    return this.servers.find(({ address }) => !this.members.includes(address))!
  }

  /** The master in one case of two, else one of the others; and what to call it. */
  async victim(random: Random): Promise<{ server: LabServer; called: string }> {
    const ip = (await masterNow(this.own)) ?? this.members[0]!
    const chosen = random.next() < 0.5 ? ip : random.one(this.members.filter((one) => one !== ip))
    const server = this.at(chosen)
    return { server, called: `${server.name} (${chosen === ip ? 'master' : 'replica'})` }
  }

  /**
   * Waits until the servers agree. @returns on what
   * @param missing is told what they said while they did not
   */
  async agreed(ms: number, missing: (sentence: string) => void = () => {}): Promise<Agreement> {
    let found: Agreement | undefined
    await until('the servers agree', ms, async () => {
      found = await agreement(this.servers).catch((error: unknown) => {
        missing(sentenceOf(error))
        throw error
      })
      return true
    })
    this.members = found!.members
    return found!
  }

  /** `netq ...` as typed on a server. Never rejects; what is ended early has the status 1. */
  netq(on: string, ...words: readonly string[]): Running {
    return this.cluster.typed(on, ...words)
  }

  /** A program of a server, as its timer or an operator runs it there. */
  program(server: LabServer, name: string, ...words: readonly string[]): Running {
    const env = { ...process.env, NETQ_ROOT: server.paths.root, NETQ_ADDRESS: server.address }
    const inside = this.network.inside(server.address)
    return run([...inside, process.execPath, join(this.options.programs, `${name}.js`), ...words], env)
  }

  /** A connection to a server's Redis as its administrator. */
  async redis(server: LabServer) {
    const { admin: password } = readSecrets(server.paths)!
    const login = { username: ADMIN, password }
    return connect({ host: '', port: 0, path: this.doorOf(server), login, commandMs: 10_000 })
  }

  /** Freezes the processes of a server that run, or lets them go on. */
  async signal(server: LabServer, signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    for (const name of ['cts-auth', 'netqd', 'sentinel', 'redis'] as const) {
      const running = await server.services.running(name)
      if (running) process.kill(running.pid, signal)
    }
  }

  /** Whatever may have been left of a fault is over: everything runs, and reaches everything. */
  async healed(): Promise<void> {
    this.network.heal()
    for (const server of this.servers) {
      this.disks.free(server.paths.root)
      this.clocks?.set(server.address, 0)
      await this.signal(server, 'SIGCONT')
      await server.start()
    }
    for (const agent of this.agents) {
      this.disks.free(agent.root)
      agent.signal('SIGCONT')
      agent.start()
    }
  }

  /** Ends everything. @param keep where to put what there is of the servers and agents */
  async end(keep?: string): Promise<void> {
    for (const server of this.servers) await this.signal(server, 'SIGCONT').catch(() => {})
    await Promise.all([
      ...this.agents.map((agent) => agent.kill()),
      ...this.servers.map((server) => server.kill()),
    ])
    this.door?.disconnect()
    this.network.remove()
    if (keep !== undefined) {
      mkdirSync(keep, { recursive: true })
      for (const { journal } of this.agents) {
        for (const path of [journal, `${journal}.log`])
          if (existsSync(path)) cpSync(path, join(keep, path.split('/').at(-1)!))
      }
    }
    this.disks.remove(keep)
  }

  private doorOf({ name }: LabServer): string {
    return join(this.options.folder, `${name}.door`)
  }

  private async openDoors(): Promise<void> {
    const doors = this.servers.map((server) => ({
      path: this.doorOf(server),
      host: server.address,
      port: REDIS_PORT,
    }))
    const argv = [join(this.options.programs, 'fault-door.js'), JSON.stringify(doors)]
    const [command = '', ...rest] = [...this.network.inside(AGENTS_ADDRESS), process.execPath, ...argv]
    this.door = spawn(command, rest, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    let open = 0
    this.door.on('message', () => {
      open += 1
    })
    await until('the doors to the servers are open', 10_000, () => open === doors.length)
  }
}
