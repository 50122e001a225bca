import type { Readings } from '../src/agent/agent.ts'
import { tableNamed } from '../src/tables/index.ts'
import type { Row, Table } from '../src/tables/table.ts'

/** How one made-up node looks to its agent, and how it changes. */
export type MadeUp =
  /** Routes that all change with every reading, and the next reading comes as soon as not too much is on its way. */
  | { readonly kind: 'flood'; readonly changesABatch: number }
  /** 200 objects of several tables, and one interface that changes every second. */
  | { readonly kind: 'node' }

/** Changes that may be on their way to the store before the flood waits, and the least and the most batches of them. */
const ON_THE_WAY = 10_000
const BATCHES = { least: 16, most: 256 } as const
/** How often the flood looks, in milliseconds. */
const LOOK_MS = 2
/** The objects of a node, by table. */
const OBJECTS = { link: 20, route: 100, neighbor: 40, mac: 40 } as const

type OnRows = (table: Table, rows: readonly Row[]) => void

export function madeUp(what: MadeUp, onRows: OnRows, onTheWay: () => number): Readings {
  return what.kind === 'flood' ? new Flood(what.changesABatch, onRows, onTheWay) : new Node(onRows)
}

class Flood implements Readings {
  private readonly size: number
  private readonly onRows: OnRows
  private readonly onTheWay: () => number
  private readonly table = tableNamed('route')!
  private timer: NodeJS.Timeout | undefined
  private round = 0

  constructor(size: number, onRows: OnRows, onTheWay: () => number) {
    this.size = size
    this.onRows = onRows
    this.onTheWay = onTheWay
  }

  start(): void {
    const enough = Math.max(BATCHES.least, Math.min(BATCHES.most, ON_THE_WAY / this.size))
    this.readAll()
    this.timer = setInterval(() => {
      while (this.onTheWay() < enough) this.readAll()
    }, LOOK_MS)
  }

  readAll(): void {
    this.round++
    this.onRows(
      this.table,
      Array.from({ length: this.size }, (_, i) => routeRow(i, this.round)),
    )
  }

  async stop(): Promise<void> {
    clearInterval(this.timer)
  }
}

class Node implements Readings {
  private readonly onRows: OnRows
  private readonly mtus = Array.from({ length: OBJECTS.link }, () => 9216)
  private timer: NodeJS.Timeout | undefined
  private round = 0

  constructor(onRows: OnRows) {
    this.onRows = onRows
  }

  start(): void {
    this.readAll()
    // Agents of a fabric do not change in the same millisecond.
    this.timer = setTimeout(() => {
      this.tick()
      this.timer = setInterval(() => this.tick(), 1000)
    }, Math.random() * 1000)
  }

  readAll(): void {
    this.readLinks()
    this.read('route', (i) => routeRow(i, 0))
    this.read('neighbor', (i) => ({
      ipAddress: `10.1.${i >> 8}.${i & 255}`,
      interface: 'swp1',
      macAddress: macOf(i),
      vrf: 'default',
      remote: false,
    }))
    this.read('mac', (i) => ({
      macAddress: macOf(i),
      vlan: 10,
      bridge: 'bridge',
      origin: false,
      egressPort: `swp${(i % 20) + 1}`,
      vtep: null,
      remote: null,
    }))
  }

  async stop(): Promise<void> {
    clearInterval(this.timer)
  }

  private tick(): void {
    this.round++
    this.mtus[this.round % OBJECTS.link] = 1000 + (this.round % 8000)
    this.readLinks()
  }

  private readLinks(): void {
    this.read('link', (i) => ({
      interface: `swp${i + 1}`,
      type: 'swp',
      state: 'up',
      adminState: 'up',
      vrf: 'default',
      mtu: this.mtus[i]!,
      macAddress: macOf(i),
      members: [],
      vlans: [],
    }))
  }

  private read(name: keyof typeof OBJECTS, row: (i: number) => Row): void {
    const table = tableNamed(name)!
    const rows = Array.from({ length: OBJECTS[name] }, (_, i) => {
      const values = row(i)
      return Object.fromEntries(table.fields.map((field) => [field, values[field] ?? null]))
    })
    this.onRows(table, rows)
  }
}

function routeRow(i: number, round: number): Row {
  return {
    vrf: 'default',
    prefix: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`,
    type: 'unicast',
    metric: 20,
    origin: false,
    protocol: 'bgp',
    nexthops: [`192.0.2.${round & 255}: swp${(round >> 8) % 64}`, `198.51.100.${round & 255}: swp51`],
  }
}

function macOf(i: number): string {
  return `02:00:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`
}
