import { Random } from './random.ts'

/** What the plan needs to know of a fault. */
export interface Planned {
  readonly kind: string
  /** How often it is chosen, against the others. */
  readonly weight: number
  /** How long it holds before it is healed, least and most, in milliseconds. */
  readonly hold: readonly [least: number, most: number]
  /** Why another fault may not begin while it holds: the two together would break what nobody promises. */
  readonly alone?: string
}

/** One fault that begins, holds and is healed. */
export interface Strike {
  readonly kind: string
  /** When it begins, in milliseconds after the beginning of its episode. */
  readonly at: number
  readonly hold: number
  /**
   * What else the fault has to choose, e.g. on which server: the same for the same seed. (Which one is the master by then
   * is not in the plan: it follows from what the faults before have done.)
   */
  readonly choice: number
}

/** Faults that hold at the same time, after a time of calm. Milliseconds. */
export interface Episode {
  readonly calm: number
  readonly strikes: readonly Strike[]
}

const EPISODES = 2
/** How many of the episodes are of two faults, of which the second begins while the first holds. */
const PAIRS = 0.5

/**
 * What happens in one round. A round follows from the seed and its number alone, so that one that failed can be done again
 * without those before it.
 */
export function planRound(seed: number, round: number, faults: readonly Planned[]): Episode[] {
  const random = new Random(seed, round)
  return Array.from({ length: EPISODES }, () => planEpisode(random, faults))
}

function planEpisode(random: Random, faults: readonly Planned[]): Episode {
  const strike = (fault: Planned, at: number): Strike => ({
    kind: fault.kind,
    at,
    // Most faults are short, as most are in life; squaring keeps the long ones rare.
    hold: Math.round(fault.hold[0] + (fault.hold[1] - fault.hold[0]) * random.next() ** 2),
    choice: random.between(0, 2 ** 31),
  })
  const calm = random.between(1500, 4000)
  const first = random.weighed(faults, ({ weight }) => weight)
  const one = strike(first, 0)
  const others = faults.filter(({ kind, alone }) => kind !== first.kind && alone === undefined)
  if (first.alone !== undefined || others.length === 0 || random.next() >= PAIRS)
    return { calm, strikes: [one] }
  const second = random.weighed(others, ({ weight }) => weight)
  return { calm, strikes: [one, strike(second, random.between(0, one.hold))] }
}
