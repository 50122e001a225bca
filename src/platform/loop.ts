import { type Log, sentenceOf } from './log.ts'

/** After a step that failed, in milliseconds. */
const AFTER_FAILURE_MS = 1000

/**
 * Does a step again and again until it is stopped. The step resolves to the milliseconds until the next; what it
 * rejects with is logged, the same sentence once. `passed` is called after every step, also after one that failed: most
 * fail because something else does not answer, which a watchdog cannot mend by ending this process.
 */
export class Loop {
  private readonly ending = new AbortController()
  private readonly running: Promise<void>

  constructor(
    what: string,
    log: Log,
    step: (signal: AbortSignal) => Promise<number>,
    passed: () => void = () => {},
  ) {
    this.running = this.run(what, log, step, passed)
  }

  /** Resolves when the step that is under way has ended; it is told to by its signal. */
  async stop(): Promise<void> {
    this.ending.abort()
    await this.running
  }

  private async run(
    what: string,
    log: Log,
    step: (signal: AbortSignal) => Promise<number>,
    passed: () => void,
  ): Promise<void> {
    const { signal } = this.ending
    let trouble: string | undefined
    while (!signal.aborted) {
      let wait = AFTER_FAILURE_MS
      try {
        wait = await step(signal)
        if (trouble !== undefined) log.info(`${what}: goes on`)
        trouble = undefined
      } catch (error) {
        const sentence = sentenceOf(error)
        if (sentence !== trouble && !signal.aborted) log.warning(`${what}: ${sentence}`)
        trouble = sentence
      }
      passed()
      await pause(wait, signal)
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
