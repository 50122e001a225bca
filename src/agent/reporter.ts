import type { Log } from '../platform/log.ts'

const AGAIN_AFTER = 60 * 60_000

/** Logs a sentence once, and again only if it is still (or again) said an hour later. */
export class Reporter {
  private readonly log: Log
  private readonly said = new Map<string, number>()

  constructor(log: Log) {
    this.log = log
  }

  warn(sentence: string): void {
    const now = Date.now()
    for (const [old, time] of this.said) if (now - time > AGAIN_AFTER) this.said.delete(old)
    if (this.said.has(sentence)) return
    this.said.set(sentence, now)
    this.log.warning(sentence)
  }
}
