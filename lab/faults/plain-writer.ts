import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Batch } from '../../src/agent/spool.ts'
import { connect } from '../../src/store/connection.ts'
import { MasterFinder } from '../../src/store/master-finder.ts'
import { REDIS_PORT } from '../../src/store/names.ts'

export interface PlainOptions {
  /** How many replicas have to confirm (WAIT) before it believes; 0: it does not ask. */
  readonly replicas?: number
  /** Whether it sends what was not answered once more, under a new number, as if the number meant nothing. */
  readonly resends?: boolean
  readonly watch: { spooled(batch: Batch): void; acknowledged(seq: number, ip: string): void }
}

/**
 * A writer without the agents' protection, as most programs are: what its connection answered it holds for done. It
 * keeps nothing, sends nothing again (or all of it), and goes on from whatever the store knows of it. It shows what the
 * protection is for, and that the checker finds the loss.
 */
export class PlainWriter {
  private readonly host: string
  private readonly servers: readonly string[]
  private readonly options: PlainOptions
  private running: Promise<void> = Promise.resolve()
  private stopped = true
  private last = 0
  private unanswered: string | undefined

  constructor(host: string, servers: readonly string[], options: PlainOptions) {
    this.host = host
    this.servers = servers
    this.options = options
  }

  start(): void {
    if (!this.stopped) return
    this.stopped = false
    this.running = this.run()
  }

  /** Resolves once what is on the way was answered, or will not be. */
  async stop(): Promise<void> {
    this.stopped = true
    await this.running
  }

  private async run(): Promise<void> {
    const finder = new MasterFinder(this.servers, REDIS_PORT)
    while (!this.stopped) {
      let patient: Redis | undefined
      try {
        const { ip, redis } = await finder.find()
        redis.disconnect()
        patient = await connect({
          host: ip,
          port: REDIS_PORT,
          commandMs: this.options.resends ? 1000 : 10_000,
        })
        await this.write(patient, ip)
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      patient?.disconnect()
    }
    finder.close()
  }

  private async write(redis: Redis, ip: string): Promise<void> {
    const { replicas = 0, resends = false, watch } = this.options
    const session = randomUUID()
    const id = Buffer.from(this.host).toString('hex')
    let [, mark] = (await redis.call('FCALL', 'netq_hello', 0, this.host, id, session, 1)) as string[]
    while (!this.stopped) {
      this.last = Math.max(this.last, Number(mark)) + 1
      const [prev, seq, time] = [Number(mark), this.last, Date.now()]
      const payload =
        (resends ? this.unanswered : undefined) ?? `P\tlink\tswp1\t{"interface":"swp1","mtu":${seq}}`
      this.unanswered = payload
      const pipeline = redis.pipeline()
      pipeline.call('FCALL', 'netq_apply', 0, this.host, session, prev, seq, time, payload)
      if (replicas > 0) pipeline.call('WAIT', replicas, 600)
      const [applied, waited] = (await pipeline.exec()) ?? []
      if (!applied || applied[0]) throw applied?.[0] ?? new Error('it has not answered')
      if (waited && Number(waited[1]) < replicas) throw new Error('no replica has confirmed')
      this.unanswered = undefined
      // Only what was acknowledged counts as made: the rest it has forgotten.
      watch.spooled({ prev, seq, time, payload })
      watch.acknowledged(seq, ip)
      mark = String(seq)
    }
  }
}
