import { mkdirSync, readdirSync, readlinkSync } from 'node:fs'
import { replaceFile } from '../src/platform/files.ts'
import { type Paths, pathsUnder } from '../src/platform/paths.ts'
import { childServices, type ServiceName, type Services, startedServices } from '../src/platform/services.ts'
import { influxConfig } from '../src/stats/influx-conf.ts'

const inOrderOfStopping = [
  ...(['cts-auth', 'netqd', 'netq-notifier', 'netq-stats-pushd', 'netq-influxdb'] as const),
  ...(['sentinel', 'redis'] as const),
]

/** One telemetry server of several on this machine: its own address and its own root folder. */
export class LabServer {
  readonly name: string
  readonly address: string
  readonly paths: Paths
  readonly services: Services
  /** What is started with the server beyond what it cannot be without, in this order. */
  extras: readonly ServiceName[] = []

  /**
   * @param inside see childServices
   * @param environment of its processes, on top of that of this one
   */
  constructor(
    name: string,
    address: string,
    root: string,
    inside: readonly string[] = [],
    environment: NodeJS.ProcessEnv = {},
  ) {
    this.name = name
    this.address = address
    this.paths = pathsUnder(root)
    this.services = childServices(
      this.paths,
      { ...process.env, ...environment, NETQ_ADDRESS: address },
      inside,
    )
  }

  async start(): Promise<void> {
    mkdirSync(this.paths.root, { recursive: true })
    await this.services.start('cts-auth')
    await this.services.start('netqd')
    if (this.extras.includes('netq-influxdb'))
      replaceFile(this.paths.influxConfig, influxConfig(this.paths, this.address))
    for (const name of this.extras) await this.services.start(name)
  }

  /** What a power loss would end: everything of this server at once. */
  async kill(): Promise<void> {
    await Promise.all(this.started().map((name) => this.services.kill(name)))
    endAllIn(this.paths.root)
  }

  /** In order: first what would start the others again, the store last. */
  async stop(): Promise<void> {
    for (const name of inOrderOfStopping) await this.services.stop(name, 8000)
    endAllIn(this.paths.root)
  }

  private started(): ServiceName[] {
    const names = startedServices(this.paths)
    return [...names].sort((a, b) => Number(b === 'cts-auth') - Number(a === 'cts-auth'))
  }
}

/**
 * Ends what still works in this folder. A cts-auth that was ended while it started Redis has left a process that is in no file
 * yet, but is in the server's folder from its first moment on.
 */
function endAllIn(root: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const folder = readlinkSync(`/proc/${pid}/cwd`)
      if (folder === root || folder.startsWith(`${root}/`)) process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It has ended by itself, or is the kernel's.
    }
  }
}

/** Stops them all; the control loops first, so that none reacts to the end of another. */
export async function stopServers(servers: readonly LabServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.services.stop('cts-auth')))
  await Promise.all(servers.map((server) => server.stop()))
}
