/** One round that found something wrong, which has been mended since. */
export interface Failed {
  readonly seed: number
  readonly round: number
  /** What was wrong, in a few words. */
  readonly was: string
}

/**
 * Rounds that failed once, for test/faults/run.test.ts. A plan follows from the seed, the round and the list of faults: whoever
 * changes a fault's weight or adds one makes other plans of them.
 */
export const failed: readonly Failed[] = [
  {
    seed: 103,
    round: 81,
    was: 'a master that was back at once had a Sentinel replace it whose clock had been set, and which stood still for 30 s',
  },
  {
    seed: 104,
    round: 139,
    was: 'every Sentinel was in TILT or gone, and nobody was the master for 28 s',
  },
]
