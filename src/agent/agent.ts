import { createHash, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { AgentStatus } from '../api/types.ts'
import { readIfThere, replaceFile } from '../platform/files.ts'
import { type Log, sentenceOf } from '../platform/log.ts'
import type { Paths } from '../platform/paths.ts'
import type { Standing } from '../store/session.ts'
import type { AgentInfo } from '../store/types.ts'
import type { Row, Table } from '../tables/table.ts'
import { VERSION } from '../version.ts'
import { clockIsSynchronised } from './clock.ts'
import { Differ, Payloads } from './differ.ts'
import { Pusher, type PushStatus } from './pusher.ts'
import { Reporter } from './reporter.ts'
import { type Batch, Spool } from './spool.ts'
import { SAMPLE_EVERY_MS } from './stats.ts'

/** What gives readings of tables: the collector on a node, or something made up in tests and benches. */
export interface Readings {
  start(): void
  readAll(): void
  stop(): Promise<void>
}

export interface AgentOptions {
  readonly paths: Paths
  readonly host: string
  /** As configured; what the cluster says takes their place. */
  readonly servers: readonly string[]
  readonly port: number
  readonly heartbeatMs: number
  readonly log: Log
  readonly localAddress?: string
  readonly spoolCapBytes?: number
  /** Makes what reads the tables, and is told what to call with each reading. */
  readings(onRows: (table: Table, rows: readonly Row[]) => void): Readings
  /**
   * Gives one sample of the counters of the interfaces, as lines of a batch; absent: they are not sampled.
   * What it throws is logged, and the next sample is taken all the same.
   */
  readonly sample?: { lines(): string[]; everyMs?: number }
  /** Told of every batch when it is spooled, and of every number when this server acknowledges it: for checkers. */
  readonly watch?: { spooled?(batch: Batch): void; acknowledged?(seq: number, ip: string): void }
}

const SPOOL_CAP_BYTES = 256 * 1024 * 1024
/** Samples take no more of the spool than this share of its cap: what is left is for changes, which matter more. */
const SAMPLES_SHARE = 0.5

/** What an agent remembers besides its spool: who it is, and where the cluster said that its servers are. */
const memory = z.strictObject({
  id: z.string(),
  /** The configured servers in answer to which this was learned: a changed configuration makes it void. */
  configured: z.array(z.string()),
  learned: z.array(z.string()),
  /** The cluster that it belongs to; '' while it reports to a single server. */
  cluster: z.string(),
})

/** One agent: readings become batches, batches go to the spool, the pusher carries the spool to the master. */
export class Agent {
  private readonly options: AgentOptions
  private readonly started = Date.now()
  private readonly differ = new Differ()
  private readonly fullReadingOf = new Set<string>()
  private spool: Spool | undefined
  private pusher: Pusher | undefined
  private readings: Readings | undefined
  private known: z.infer<typeof memory>
  private lossPending = false
  private sampling: NodeJS.Timeout | undefined
  private readonly reporter: Reporter

  constructor(options: AgentOptions) {
    this.options = options
    this.reporter = new Reporter(options.log)
    this.known = { id: '', configured: [...options.servers], learned: [], cluster: '' }
  }

  /** Throws one sentence if it cannot run here at all, e.g. because another agent has the spool. */
  start(): void {
    const { options } = this
    const { paths, log } = options
    this.spool = Spool.open(
      paths.spool,
      {
        capBytes: options.spoolCapBytes ?? SPOOL_CAP_BYTES,
        onLoss: () => {
          this.lossPending = true
        },
      },
      log,
    )
    this.remember()
    this.pusher = new Pusher({
      host: options.host,
      id: this.known.id,
      port: options.port,
      heartbeatMs: options.heartbeatMs,
      spool: this.spool,
      log,
      ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
      servers: () => (this.known.learned.length > 0 ? this.known.learned : options.servers),
      inCluster: () => this.known.cluster !== '',
      info: () => this.info(),
      onStanding: (standing) => this.check(standing),
      onStatus: (status) => this.writeStatus(status),
      onFullReadingDue: () => this.fullReading(),
      onCaughtUp: () => {
        // Only now: while nothing could be sent, a full reading would have pushed more out of the full spool.
        if (this.lossPending) this.fullReading()
        this.lossPending = false
      },
      onAcknowledged: (seq, ip) => options.watch?.acknowledged?.(seq, ip),
    })
    this.readings = options.readings((table, rows) => this.take(table, rows))
    this.pusher.start()
    this.readings.start()
    if (options.sample) {
      this.takeSample()
      this.sampling = setInterval(() => this.takeSample(), options.sample.everyMs ?? SAMPLE_EVERY_MS)
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.sampling)
    await this.readings?.stop()
    await this.pusher?.stop()
    this.spool?.close()
  }

  /** How many batches were sent a second time because an answer to the first was not seen. */
  get replayed(): number {
    return this.pusher?.replayed ?? 0
  }

  private take(table: Table, rows: readonly Row[]): void {
    const full = this.fullReadingOf.has(table.name)
    const payloads = full ? this.differ.full(table, rows) : this.differ.changes(table, rows)
    this.fullReadingOf.delete(table.name)
    this.send(payloads)
  }

  private send(payloads: readonly string[]): void {
    for (const payload of payloads) {
      const batch = this.spool!.append(Date.now(), payload)
      this.options.watch?.spooled?.(batch)
    }
    this.pusher!.notify()
  }

  private takeSample(): void {
    const spool = this.spool!
    if (spool.problem !== undefined || spool.bytes > SAMPLES_SHARE * spool.capBytes) {
      this.reporter.warn(
        'statistics are left out while the spool is short of room, so that no change is lost',
      )
      return
    }
    const payloads = new Payloads()
    try {
      for (const line of this.options.sample!.lines()) payloads.add(line)
    } catch (error) {
      this.reporter.warn(`the counters of the interfaces cannot be read: ${sentenceOf(error)}`)
      return
    }
    this.send(payloads.end())
  }

  /** Every table is sent whole with its next reading, which is now. */
  private fullReading(): void {
    for (const name of this.differ.tables()) this.fullReadingOf.add(name)
    this.readings?.readAll()
  }

  private info(): AgentInfo {
    const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
    const ntpSync = clockIsSynchronised()
    return {
      version: VERSION,
      systemStart: Math.round(Date.now() - uptime * 1000),
      agentStart: this.started,
      spooledBatches: this.spool!.count,
      spooledBytes: this.spool!.bytes,
      stats: this.options.sample !== undefined,
      ...(ntpSync === undefined ? {} : { ntpSync }),
    }
  }

  private remember(): void {
    const { paths, servers, log } = this.options
    const text = readIfThere(paths.agentState)
    const parsed = text === undefined ? undefined : memory.safeParse(jsonOrNothing(text))
    if (parsed?.success) this.known = parsed.data
    else if (parsed) log.warning(`${paths.agentState} is damaged; it is written anew`)
    if (this.known.configured.join() !== servers.join()) {
      this.known = { ...this.known, configured: [...servers], learned: [], cluster: '' }
    }
    if (this.known.id === '') this.known = { ...this.known, id: identityOf(paths) }
    this.save()
  }

  private save(): void {
    this.attempt(() => replaceFile(this.options.paths.agentState, `${JSON.stringify(this.known)}\n`))
  }

  /**
   * Takes the list of servers from the store, and throws if it is not the store of this agent's cluster: a server
   * that lost its disk, or was replaced, may be named as the master for a moment, and what it took would be lost.
   */
  private check({ servers, clusterId }: Standing): void {
    const { cluster, learned } = this.known
    if (cluster !== '' && clusterId !== cluster) {
      throw new Error(
        `that server is not of this agent's cluster ${cluster}; if that is right: netq config add server`,
      )
    }
    const now = servers.length > 1 ? clusterId : ''
    if (servers.length === 0 || (now === cluster && servers.join() === learned.join())) return
    if (servers.join() !== learned.join()) this.options.log.info(`the servers are ${servers.join(' ')}`)
    this.known = { ...this.known, learned: [...servers], cluster: now }
    this.save()
  }

  private writeStatus(status: PushStatus): void {
    const { spool } = this
    const full: AgentStatus = {
      pid: process.pid,
      updated: Date.now(),
      ...status,
      spooledBatches: spool!.count,
      spooledBytes: spool!.bytes,
      stats: this.options.sample !== undefined,
      ...(spool!.problem === undefined ? {} : { spoolProblem: spool!.problem }),
    }
    this.attempt(() => replaceFile(this.options.paths.agentStatus, `${JSON.stringify(full)}\n`))
  }

  /** A full disk must not stop the agent from pushing. */
  private attempt(write: () => void): void {
    try {
      write()
    } catch (error) {
      this.options.log.debug(sentenceOf(error))
    }
  }
}

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The same for this agent on this machine at every start, so that an agent that lost its files is still known. */
function identityOf(paths: Paths): string {
  const machine = readIfThere('/etc/machine-id')?.trim()
  if (!machine) return randomUUID()
  return createHash('sha256').update(`${machine} ${paths.root}`).digest('hex').slice(0, 32)
}
