import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { signalled } from '../lab/signalled.ts'
import { Agent } from '../src/agent/agent.ts'
import { makeLog } from '../src/platform/log.ts'
import { pathsUnder } from '../src/platform/paths.ts'
import { REDIS_PORT } from '../src/store/names.ts'
import { type MadeUp, madeUp } from './made-up.ts'

/** What a process of agents is to do. */
export interface Spec {
  readonly hosts: readonly string[]
  readonly folder: string
  readonly servers: readonly string[]
  readonly heartbeatMs: number
  readonly what: MadeUp
}

/** What it tells its parent, ten times a second; counts are of all its agents since it began. */
export interface Told {
  /** ms since the epoch. */
  readonly time: number
  readonly made: number
  readonly acknowledged: number
  readonly acknowledgedBytes: number
  /** Batches that were sent a second time. */
  readonly replayed: number
}

const TELL_MS = 100

/** The real agent code, spool and all, over made-up nodes. Ends at a signal, or when its parent is gone. */
export async function runMadeUpNodes(json: string): Promise<number> {
  const spec = JSON.parse(json) as Spec
  const nodes = spec.hosts.map((host) => new Counted(host, spec))
  for (const node of nodes) node.agent.start()
  const sum = (count: (node: Counted) => number) => nodes.reduce((total, node) => total + count(node), 0)
  const telling = setInterval(() => {
    const told: Told = {
      time: Date.now(),
      made: sum((node) => node.made),
      acknowledged: sum((node) => node.acknowledged),
      acknowledgedBytes: sum((node) => node.bytes),
      replayed: sum((node) => node.agent.replayed),
    }
    process.send?.(told)
  }, TELL_MS)
  // The parent says so when there is to be no more change: what was made is still pushed.
  process.on('message', () => {
    for (const node of nodes) node.quiet()
  })
  await Promise.race([signalled(), new Promise((resolve) => process.once('disconnect', resolve))])
  clearInterval(telling)
  await Promise.all(nodes.map(({ agent }) => agent.stop()))
  return 0
}

/** One agent, and how many changes of it are made and acknowledged. */
class Counted {
  readonly agent: Agent
  made = 0
  acknowledged = 0
  bytes = 0
  quiet: () => void = () => {}
  private readonly waiting: { seq: number; changes: number; bytes: number }[] = []
  private head = 0

  constructor(host: string, { folder, servers, heartbeatMs, what }: Spec) {
    const root = join(folder, 'agents', host)
    mkdirSync(root, { recursive: true })
    this.agent = new Agent({
      paths: pathsUnder(root),
      host,
      servers,
      port: REDIS_PORT,
      heartbeatMs,
      log: makeLog(host, 'error'),
      readings: (onRows) => {
        const readings = madeUp(what, onRows, () => this.onTheWay())
        this.quiet = () => void readings.stop()
        return readings
      },
      watch: {
        spooled: ({ seq, payload }) => {
          const changes = payload.split('\n').filter((line) => !/^[BE]\t/.test(line)).length
          this.made += changes
          this.waiting.push({ seq, changes, bytes: payload.length })
        },
        acknowledged: (seq) => this.took(seq),
      },
    })
  }

  /** Batches that were made and are not acknowledged. */
  onTheWay(): number {
    return this.waiting.length - this.head
  }

  private took(seq: number): void {
    for (; (this.waiting[this.head]?.seq ?? Number.POSITIVE_INFINITY) <= seq; this.head++) {
      this.acknowledged += this.waiting[this.head]!.changes
      this.bytes += this.waiting[this.head]!.bytes
    }
    if (this.head > 1000) this.waiting.splice(0, this.head)
    if (this.head > 1000) this.head = 0
  }
}
