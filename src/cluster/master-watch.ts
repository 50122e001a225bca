import { createConnection } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { REDIS_PORT } from '../store/names.ts'
import type { RedisReport } from './types.ts'

/** How long a connection to the master may take until nothing answers there, in milliseconds. */
const ANSWER_MS = 250
/** For how long nothing must have answered until the master's machine is held for lost, in milliseconds. */
const SILENT_MS = 600
/** A report waits this long for an answer that is on its way, in milliseconds: a refusal takes one round trip. */
const AT_HAND_MS = 20

/**
 * Whether the master that the Redis here follows is lost, which can be known sooner than Sentinel may say so. Sentinel
 * sees pings without an answer, and cannot tell a process that stands still for two seconds from one that is gone. Who
 * connects can: the kernel accepts for a process that is stopped or starved, it refuses where none listens, and where
 * there is no machine nothing answers.
 */
export class MasterWatch {
  private readonly localAddress: string | undefined
  private master: string | undefined
  private probe: Promise<void> | undefined
  private refused = false
  private silentSince: number | undefined

  constructor(localAddress: string | undefined) {
    this.localAddress = localAddress
  }

  /** @param redis what the Redis here says. @returns how its master was lost; undefined while it is not, or is not known to be */
  async look(redis: RedisReport | undefined): Promise<RedisReport['lost']> {
    const master = redis?.follows
    const heard = redis?.linkUp === true && redis.silentSeconds === 0
    if (master !== this.master || heard) this.forget()
    this.master = master
    if (master === undefined || heard) return undefined
    this.probe ??= this.connect(master).finally(() => {
      this.probe = undefined
    })
    await Promise.race([this.probe, delay(AT_HAND_MS)])
    // A link that is up is to a Redis that lives: what refuses is then something before it.
    if (this.refused) return redis!.linkUp ? undefined : 'refuses'
    return this.silentSince !== undefined && performance.now() - this.silentSince >= SILENT_MS
      ? 'silent'
      : undefined
  }

  /** Whether something is wrong with the master, so that to look again is urgent. */
  get alarmed(): boolean {
    return this.refused || this.silentSince !== undefined
  }

  private forget(): void {
    this.refused = false
    this.silentSince = undefined
  }

  private connect(master: string): Promise<void> {
    const begun = performance.now()
    return new Promise((resolve) => {
      const local = this.localAddress === undefined ? {} : { localAddress: this.localAddress }
      const socket = createConnection({ host: master, port: REDIS_PORT, ...local })
      const end = (outcome: 'answers' | 'refuses' | 'silent') => {
        socket.destroy()
        clearTimeout(timer)
        if (master === this.master) {
          this.refused = outcome === 'refuses'
          this.silentSince = outcome === 'silent' ? (this.silentSince ?? begun) : undefined
        }
        resolve()
      }
      const timer = setTimeout(() => end('silent'), ANSWER_MS)
      socket.once('connect', () => end('answers'))
      socket.once('error', ({ code }: NodeJS.ErrnoException) =>
        end(code === 'ECONNREFUSED' || code === 'ECONNRESET' ? 'refuses' : 'silent'),
      )
    })
  }
}
