import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'

/** Writes a second of each writer, as of each agent beside which it is measured. */
const PER_SECOND = 60
/** How long writes that are under way are waited for at the end, in milliseconds. */
const LAST_MS = 10_000

/**
 * A writer as an application would be that trusts ioredis' Sentinel mode with its defaults: numbered writes at a fixed
 * rate, each counted as acknowledged when its promise says so. What fails is counted as failed, not written again.
 */
export class StockWriter {
  readonly acknowledged = new Set<string>()
  /** When something was acknowledged, ms since the epoch. */
  readonly times: number[] = []
  private readonly name: string
  private readonly sentinels: { host: string; port: number }[]
  private readonly timer: NodeJS.Timeout
  private readonly begun = Date.now()
  private redis: Redis
  private made = 0
  private underWay = 0

  constructor(name: string, sentinels: { host: string; port: number }[]) {
    this.name = name
    this.sentinels = sentinels
    this.redis = this.connect()
    this.timer = setInterval(() => this.tick(), 1000 / PER_SECOND)
  }

  acknowledgedSince(time: number): boolean {
    return (this.times.at(-1) ?? 0) > time
  }

  /** What an operator would do with an application that hangs. */
  async connectAnew(): Promise<void> {
    this.redis.disconnect()
    this.redis = this.connect()
  }

  async quiet(): Promise<void> {
    clearInterval(this.timer)
    for (const end = Date.now() + LAST_MS; this.underWay > 0 && Date.now() < end; ) await delay(50)
  }

  close(): void {
    clearInterval(this.timer)
    this.redis.disconnect()
  }

  private connect(): Redis {
    const redis = new Redis({ sentinels: this.sentinels, name: 'mymaster' })
    // What it cannot do is told by the writes that fail.
    redis.on('error', () => {})
    return redis
  }

  private tick(): void {
    const due = Math.floor(((Date.now() - this.begun) / 1000) * PER_SECOND)
    for (; this.made < due; this.made++) this.write(`${this.name}-${this.made}`)
  }

  private write(id: string): void {
    this.underWay++
    this.redis
      .xadd('log', '*', 'id', id)
      .then(
        () => {
          this.acknowledged.add(id)
          this.times.push(Date.now())
        },
        () => {},
      )
      .finally(() => {
        this.underWay--
      })
  }
}
