import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { History } from '../../lab/history.ts'
import { connect } from '../../src/store/connection.ts'
import { MasterFinder } from '../../src/store/master-finder.ts'
import { REDIS_PORT } from '../../src/store/names.ts'

/**
 * A writer without the agents' protection, as most programs are: what its connection answered it holds for done. It
 * keeps nothing, sends nothing again, and goes on from whatever the store knows of it. It shows what the protection
 * is for, and that the checker finds the loss.
 */
export class PlainWriter {
  private readonly host: string
  private readonly servers: readonly string[]
  private readonly replicas: number
  private readonly watch: ReturnType<History['watch']>
  private running: Promise<void> = Promise.resolve()
  private redis: Redis | undefined
  private stopped = false
  private last = 0

  /** @param replicas how many have to confirm (WAIT) before it believes; 0: it does not ask */
  constructor(host: string, servers: readonly string[], replicas: number, history: History) {
    this.host = host
    this.servers = servers
    this.replicas = replicas
    this.watch = history.watch(host)
  }

  start(): void {
    this.running = this.run()
  }

  async stop(): Promise<void> {
    this.stopped = true
    this.redis?.disconnect()
    await this.running
  }

  private async run(): Promise<void> {
    const finder = new MasterFinder(this.servers, REDIS_PORT)
    while (!this.stopped) {
      try {
        const { ip, redis } = await finder.find()
        redis.disconnect()
        this.redis = await connect({ host: ip, port: REDIS_PORT, commandMs: 10_000 })
        await this.write(this.redis)
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      this.redis?.disconnect()
      this.redis = undefined
    }
    finder.close()
  }

  private async write(redis: Redis): Promise<void> {
    const session = randomUUID()
    const id = Buffer.from(this.host).toString('hex')
    let [, mark] = (await redis.call('FCALL', 'netq_hello', 0, this.host, id, session, 1)) as string[]
    while (!this.stopped) {
      this.last = Math.max(this.last, Number(mark)) + 1
      const [prev, seq, time] = [Number(mark), this.last, Date.now()]
      const payload = `P\tlink\tswp1\t{"interface":"swp1","mtu":${seq}}`
      const pipeline = redis.pipeline()
      pipeline.call('FCALL', 'netq_apply', 0, this.host, session, prev, seq, time, payload)
      if (this.replicas > 0) pipeline.call('WAIT', this.replicas, 600)
      const [applied, waited] = (await pipeline.exec()) ?? []
      if (!applied || applied[0]) throw applied?.[0] ?? new Error('it has not answered')
      if (waited && Number(waited[1]) < this.replicas) throw new Error('no replica has confirmed')
      // Only what was acknowledged counts as made: the rest it has forgotten.
      this.watch.spooled({ prev, seq, time, payload })
      this.watch.acknowledged(seq)
      mark = String(seq)
    }
  }
}
