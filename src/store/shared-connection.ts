import type { Redis } from 'ioredis'

/**
 * One connection for all who ask: opened when it is first asked for, and anew once it has ended. Who asks while it is
 * being opened gets that one, so that none is left open that nobody knows.
 */
export class SharedConnection {
  private readonly open: () => Promise<Redis>
  private redis: Redis | undefined
  private opening: Promise<Redis> | undefined
  private closed = false

  constructor(open: () => Promise<Redis>) {
    this.open = open
  }

  /** Rejects with one sentence if it cannot be opened. */
  get(): Promise<Redis> {
    if (this.redis?.status === 'ready') return Promise.resolve(this.redis)
    this.opening ??= this.openAnew().finally(() => {
      this.opening = undefined
    })
    return this.opening
  }

  /** For good; one that is being opened is closed as soon as it is there. */
  close(): void {
    this.closed = true
    this.redis?.disconnect()
  }

  private async openAnew(): Promise<Redis> {
    this.redis = await this.open()
    if (this.closed) this.redis.disconnect()
    return this.redis
  }
}
