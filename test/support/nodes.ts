import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Agent, type Readings } from '../../src/agent/agent.ts'
import { makeLog } from '../../src/platform/log.ts'
import { pathsUnder } from '../../src/platform/paths.ts'
import { tableNamed } from '../../src/tables/index.ts'
import type { Row, Table } from '../../src/tables/table.ts'
import type { TestCluster } from './cluster.ts'
import { until } from './until.ts'

const table = tableNamed('link')!

/** A made-up node under the real agent: its interfaces go up and down when the test says so. */
export class Node implements Readings {
  private readonly onRows: (table: Table, rows: readonly Row[]) => void
  private readonly states: string[]

  constructor(interfaces: number, onRows: (table: Table, rows: readonly Row[]) => void) {
    this.states = Array.from({ length: interfaces }, () => 'up')
    this.onRows = onRows
  }

  start(): void {
    this.readAll()
  }

  async stop(): Promise<void> {}

  readAll(): void {
    const row = (state: string, i: number): Row => {
      const values: Row = { interface: `swp${i + 1}`, type: 'swp', state, adminState: 'up', vrf: 'default' }
      return Object.fromEntries(table.fields.map((field) => [field, values[field] ?? null]))
    }
    this.onRows(table, this.states.map(row))
  }

  /** @param index from 0: swp1 */
  set(index: number, state: 'up' | 'down'): void {
    this.states[index] = state
    this.readAll()
  }
}

/** Nodes leaf01, leaf02 ... that the servers know all interfaces of. */
export class Nodes {
  readonly nodes: Node[] = []
  private readonly agents: Agent[] = []

  static async start(cluster: TestCluster, count: number, interfaces: number): Promise<Nodes> {
    const made = new Nodes()
    for (let i = 1; i <= count; i++) {
      const host = `leaf${String(i).padStart(2, '0')}`
      const root = join(cluster.folder, 'agents', host)
      mkdirSync(root, { recursive: true })
      const agent = new Agent({
        paths: pathsUnder(root),
        host,
        servers: cluster.addresses.slice(0, 3),
        port: 6379,
        heartbeatMs: 1000,
        log: makeLog(host, 'error'),
        readings: (onRows) => {
          const node = new Node(interfaces, onRows)
          made.nodes.push(node)
          return node
        },
      })
      made.agents.push(agent)
      agent.start()
    }
    await until('all nodes are known', 20_000, async () => {
      const { out } = await cluster.netq('ts01', 'show', 'interfaces', 'count')
      return out.includes(`records: ${count * interfaces}\n`)
    })
    return made
  }

  async stop(): Promise<void> {
    await Promise.all(this.agents.map((agent) => agent.stop()))
  }
}
