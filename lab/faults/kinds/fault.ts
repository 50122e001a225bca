import type { Field } from '../field.ts'
import type { Planned } from '../plan.ts'
import type { Random } from '../random.ts'

/** What a fault that has begun needs to be taken back. */
export interface Struck {
  /** On whom, and what exactly; for the line that tells of it. */
  readonly on: string
  /** Takes it back. @returns what came of it, if that is worth a word */
  heal(): Promise<string | undefined>
}

/** One kind of fault: how often it is chosen and how long it holds (see Planned), and how it is done. */
export interface Fault extends Planned {
  /** Whether it takes acknowledged changes back, as the operator asked for. */
  readonly restores?: boolean
  /** Whether an agent may lose what it could not write and has not sent. */
  readonly fillsAgents?: boolean
  /** @param random what it has to choose it takes from here, so that the same seed chooses the same */
  begin(field: Field, random: Random): Promise<Struck>
}

/** A fault with nothing to say when it is healed. */
export function struck(on: string, heal: () => Promise<void> | void): Struck {
  return {
    on,
    async heal() {
      await heal()
      return undefined
    },
  }
}
