import { type Log, sentenceOf } from './log.ts'
import type { Manager } from './notify.ts'
import { onStopSignal, type Releasers } from './releasers.ts'

/**
 * The frame of a daemon: runs `main`, which starts its work and returns; at a signal to stop, everything that was acquired
 * is released and the process ends. What `main` rejects with is logged as one sentence, and the process ends with 1.
 */
export function runDaemon(parts: {
  log: Log
  releasers: Releasers
  manager: Manager
  main(): Promise<void>
}): void {
  const { log, releasers, manager, main } = parts
  onStopSignal(() => {
    manager.stopping()
    return releasers.releaseAll(log)
  })
  main().catch(async (error: unknown) => {
    log.error(`cannot start: ${sentenceOf(error)}`)
    await releasers.releaseAll(log)
    process.exit(1)
  })
}
