import type { LoopWatch } from './controller.ts'

/**
 * A watch of the control loop that also says that the loop is alive: after every round that looked at the servers and came to
 * its end. One whose action failed counts, because a full disk, say, is no reason to end what tells the operator of it; one
 * that could not look, or never ends, does not.
 */
export function feeding(watch: LoopWatch, alive: () => void): LoopWatch {
  let looked = false
  return {
    looked: (view, at) => {
      looked = true
      watch.looked(view, at)
    },
    roundEnded: () => {
      watch.roundEnded()
      if (looked) alive()
      looked = false
    },
  }
}
