import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LabCluster } from '../../lab/cluster.ts'
import { History } from '../../lab/history.ts'
import { LabServer } from '../../lab/server.ts'
import { type SyntheticAgent, syntheticAgent } from '../../lab/synthetic.ts'
import { freshAddresses } from './addresses.ts'
import { until } from './until.ts'

const program = join(import.meta.dirname, '../../dist/netq.cjs')

/** A lab cluster of its own for a test, with what an operator does and sees, and agents whose history is checked. */
export class TestCluster extends LabCluster {
  readonly history = new History()
  private readonly agents: SyntheticAgent[] = []

  constructor() {
    super(mkdtempSync(join(tmpdir(), 'c-')), freshAddresses(), program)
  }

  addServers(name: string, words: readonly string[] = this.addresses) {
    return this.netq(name, 'config', 'ts', 'add', 'server', ...words)
  }

  /** What `netq config ts show server` says on a server: "<address> <role> <master> <status>" each. */
  async shown(name: string): Promise<string[]> {
    const { out } = await this.netq(name, 'config', 'ts', 'show', 'server', 'json')
    const { servers } = JSON.parse(out) as { servers: Record<string, string>[] }
    return servers.map((line) => `${line.server} ${line.role} ${line.master} ${line.status}`)
  }

  /** The servers in order that a server has, as `netq config ts show server config` says. */
  async listOf(name: string): Promise<string> {
    const { out } = await this.netq(name, 'config', 'ts', 'show', 'server', 'config', 'json')
    const { servers } = JSON.parse(out) as { servers: { server: string; configured: string[] }[] }
    return servers.find(({ server }) => server === this.named(name).address)!.configured.join(' ')
  }

  /**
   * Waits until these three say the same: one master, two replicas, all ok, one list, and nothing that is still to be done.
   * @returns the master's address and the list
   */
  async agreed(names: readonly string[], ms = 60_000): Promise<{ master: string; order: string }> {
    let said = ''
    await until(`${names.join(', ')} agree`, ms, async () => {
      const each = await Promise.all(
        names.map(async (name) => `${(await this.shown(name)).join('; ')} | ${await this.listOf(name)}`),
      )
      const asked = names.filter((name) =>
        /"proposal"/.test(readFileSync(this.named(name).paths.clusterState, 'utf8')),
      )
      said = each[0]!
      const [, master = ''] = /(\S+) master /.exec(said) ?? []
      const right = said.match(/ ok\b/g)?.length === 3 && said.split(` ${master} ok`).length === 4
      if (asked.length > 0 || !right || each.some((one) => one !== said))
        throw new Error(`${each.join(' || ')}; still asked for on ${asked}`)
      return true
    })
    return { master: /(\S+) master /.exec(said)![1]!, order: said.split(' | ')[1]! }
  }

  /** A single server by what it shows: HA is off there. */
  async single(name: string): Promise<void> {
    const { address } = this.named(name)
    await until(`${name} is a single server`, 30_000, async () => {
      const lines = await this.shown(name)
      if (lines.join() !== `${address} master ${address} ok`) throw new Error(lines.join('; '))
      return true
    })
  }

  /** Starts the three and forms the cluster, as the page says. */
  async form(): Promise<void> {
    await this.start()
    await this.toldOfEachOther()
    await this.settled('ts01')
  }

  async settled(name: string): Promise<void> {
    await until(`all servers are ok on ${name}`, 40_000, () => this.allOk(this.named(name)))
  }

  /** A fourth server, as a new machine with nothing on it. */
  async newServer(name: string): Promise<LabServer> {
    const address = this.addresses[0]!.replace(/\d+$/, '8')
    const server = new LabServer(name, address, join(this.folder, name))
    this.add(server)
    await this.start()
    await until(`${name} answers`, 10_000, async () => {
      return (await this.netq(name, 'config', 'ts', 'show', 'server')).status === 0
    })
    return server
  }

  /** Agents that push; resolves once the first changes are acknowledged. */
  async load(agents = 3, changesPerSecond = 40): Promise<void> {
    for (let i = 1; i <= agents; i++) {
      const root = join(this.folder, 'agents', `load${i}`)
      const one = syntheticAgent({
        host: `load${i}`,
        root,
        servers: this.addresses.slice(0, 3),
        changesPerSecond,
        history: this.history,
      })
      this.agents.push(one)
      one.agent.start()
    }
    const before = this.history.acknowledged()
    await until('changes are acknowledged', 15_000, () => this.history.acknowledged() > before + 100)
  }

  /** Ends the load and resolves to what is wrong on the servers, '' for nothing; the servers hold everything by then. */
  async verdict(names: readonly string[]): Promise<string> {
    for (const { quiet } of this.agents) quiet()
    await until('everything is acknowledged', 30_000, () => this.history.complete())
    const verdicts = new Map<string, string>()
    await until('the servers hold everything', 15_000, async () => {
      for (const name of names) {
        const { lost, duplicated, faults } = await this.history.check(this.named(name))
        verdicts.set(
          name,
          lost + duplicated + faults.length === 0
            ? ''
            : `${name}: ${lost} lost, ${duplicated} doubled, ${faults}`,
        )
      }
      return [...verdicts.values()].every((one) => one === '')
    }).catch(() => {})
    return [...verdicts.values()].filter((one) => one !== '').join('; ')
  }

  async end(): Promise<void> {
    await Promise.all(this.agents.map(({ agent }) => agent.stop()))
    await this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
