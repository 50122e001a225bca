import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Paths, pathsUnder } from '../src/platform/paths.ts'
import { childServices, type Services } from '../src/platform/services.ts'
import { type Answer, type Running, run } from './command.ts'
import { LabServer, stopServers } from './server.ts'
import { until } from './until.ts'

/**
 * Three telemetry servers and a node on this machine, below one folder, and the `netq` command to use them with. The
 * same for the demo and the tests; only the addresses differ.
 */
export class LabCluster {
  readonly folder: string
  readonly servers: LabServer[]
  readonly node: Paths
  readonly nodeServices: Services
  /** The file that tells `netq` where the servers and the node are. */
  readonly places: string
  /** The bundled command line. */
  readonly program: string

  /**
   * @param program the bundled command line, dist/netq.cjs
   * @param inside see childServices; by address
   * @param environment see LabServer; by address
   */
  constructor(
    folder: string,
    addresses: readonly string[],
    program: string,
    inside: (address: string) => readonly string[] = () => [],
    environment: (address: string) => NodeJS.ProcessEnv = () => ({}),
  ) {
    this.folder = folder
    this.servers = addresses.map((address, i) => {
      const name = `ts0${i + 1}`
      return new LabServer(name, address, join(folder, name), inside(address), environment(address))
    })
    this.node = pathsUnder(join(folder, 'node'))
    this.nodeServices = childServices(this.node)
    this.places = join(folder, 'places.json')
    this.program = program
  }

  get addresses(): string[] {
    return this.servers.map(({ address }) => address)
  }

  /** Another server of this machine; `start` starts it. */
  add(server: LabServer): void {
    this.servers.push(server)
  }

  named(name: string): LabServer {
    const server = this.servers.find((one) => one.name === name)
    if (!server) throw new Error(`there is no server ${name}`)
    return server
  }

  async start(): Promise<void> {
    mkdirSync(this.node.root, { recursive: true })
    const servers = this.servers.map(({ name, address, paths }) => ({ name, address, root: paths.root }))
    writeFileSync(
      this.places,
      `${JSON.stringify({ servers, node: { name: 'node', root: this.node.root } }, null, 2)}\n`,
    )
    await Promise.all(this.servers.map((server) => server.start()))
  }

  async stop(): Promise<void> {
    await this.nodeServices.stop('netqd')
    await this.nodeServices.stop('netq-agent')
    await stopServers(this.servers)
  }

  /** `netq ...` as typed on a server, or, without one, on the node. */
  netq(on: string | undefined, ...words: string[]): Promise<Answer> {
    return this.typed(on, ...words).done
  }

  /** The same, where it may have to be ended before it ends by itself. */
  typed(on: string | undefined, ...words: readonly string[]): Running {
    const { NETQ_ROOT: _, ...env } = process.env
    const argv = [process.execPath, this.program, ...(on === undefined ? [] : ['--on', on]), ...words]
    return run(argv, { ...env, NETQ_DEMO: this.places })
  }

  /** The page's command on each of these servers, as soon as its cts-auth answers. */
  async toldOfEachOther(addresses: readonly string[] = this.addresses): Promise<void> {
    for (const { name } of this.servers.filter(({ address }) => addresses.includes(address))) {
      await until(`add server works on ${name}`, 30_000, async () => {
        return (await this.netq(name, 'config', 'ts', 'add', 'server', ...addresses)).status === 0
      })
    }
  }

  /** The name of the server that all three agree to be the master, or undefined. */
  async master(): Promise<LabServer | undefined> {
    for (const server of this.servers) {
      const { out, status } = await this.netq(server.name, 'config', 'ts', 'show', 'server', 'json')
      if (status !== 0) continue
      const { servers } = JSON.parse(out) as { servers: { server: string; role: string; status: string }[] }
      const masters = servers.filter(({ role, status: s }) => role === 'master' && s === 'ok')
      return masters.length === 1
        ? this.servers.find(({ address }) => address === masters[0]!.server)
        : undefined
    }
    return undefined
  }

  /** Whether this server shows all three as ok. */
  async allOk(server: LabServer): Promise<boolean> {
    const { out, status } = await this.netq(server.name, 'config', 'ts', 'show', 'server', 'json')
    if (status !== 0) return false
    return (JSON.parse(out) as { servers: { status: string }[] }).servers.every(
      (line) => line.status === 'ok',
    )
  }
}
