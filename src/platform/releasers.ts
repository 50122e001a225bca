import type { Log } from './log.ts'
import { sentenceOf } from './log.ts'

/**
 * Whoever acquires something registers how to release it; `releaseAll` runs the releases last in, first out, under one
 * deadline. A release that fails or hangs is logged and does not keep the others from running.
 */
export class Releasers {
  private readonly stack: { what: string; release: () => unknown }[] = []

  add(what: string, release: () => unknown): void {
    this.stack.push({ what, release })
  }

  /** @param deadlineMs for all of them together, in milliseconds */
  async releaseAll(log: Log, deadlineMs = 5000): Promise<void> {
    const end = performance.now() + deadlineMs
    for (let item = this.stack.pop(); item; item = this.stack.pop()) {
      try {
        await within(Math.max(50, end - performance.now()), Promise.resolve(item.release()))
      } catch (error) {
        log.warning(`could not release ${item.what}: ${sentenceOf(error)}`)
      }
    }
  }
}

/** The promise's result, or a rejection after `ms` milliseconds. The timer does not keep the process alive. */
function within<T>(ms: number, promise: Promise<T>, what = 'no answer'): Promise<T> {
  let timer: NodeJS.Timeout
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${ms} ms`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** Runs `stop` once at the first SIGTERM or SIGINT, then ends the process with 0. A second signal ends it at once. */
export function onStopSignal(stop: () => Promise<void>): void {
  let stopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1)
      stopping = true
      stop().then(
        () => process.exit(0),
        () => process.exit(1),
      )
    })
  }
}
