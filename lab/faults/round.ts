import { setTimeout as delay } from 'node:timers/promises'
import { sentenceOf } from '../../src/platform/log.ts'
import { until } from '../until.ts'
import { AGREE_MS, type Checker, type Findings } from './check.ts'
import type { Field } from './field.ts'
import { monotonic } from './journal.ts'
import type { Fault, Struck } from './kinds/fault.ts'
import type { Episode, Strike } from './plan.ts'
import { Random } from './random.ts'
import type { RottenWatch } from './rotten.ts'

/** From when on it is of interest what kept the servers from agreeing, in milliseconds. */
const LATE_MS = 8000
/** How long something that an operator asked for may take after that, in milliseconds: it waits for the end of a tilt. */
const DONE_MS = 60_000

/** What a round came to, and how long the servers took to agree once the last fault was healed, in ms. */
export interface RoundFindings extends Findings {
  readonly faultsDone: number
  readonly agreedMs: number
}

export interface RoundParts {
  readonly field: Field
  readonly checker: Checker
  readonly rotten: RottenWatch
  readonly faults: readonly Fault[]
  /** Tells a line. */
  say(line: string): void
}

/** Carries a plan out, heals everything, and has what came of it checked. Rejects with a sentence if nothing can be checked. */
export async function runRound(parts: RoundParts, plan: readonly Episode[]): Promise<RoundFindings> {
  const { field, checker, rotten, say } = parts
  checker.begin()
  const done: string[] = []
  for (const { calm, strikes } of plan) {
    await delay(calm)
    // Also where one fails, the other one is ended first: it would go on in the next round.
    for (const one of await Promise.allSettled(strikes.map((strike) => carryOut(parts, strike)))) {
      if (one.status === 'rejected') throw one.reason
      if (one.value !== undefined) done.push(one.value)
    }
  }
  await field.healed()
  const healed = monotonic()
  const problems: string[] = []
  let missing = ''
  const told = (sentence: string) => {
    missing = sentence
  }
  await field.agreed(AGREE_MS, told).catch((error: unknown) => problems.push(sentenceOf(error)))
  const agreedMs = Math.round(monotonic() - healed)
  if (agreedMs > LATE_MS) say(`what was missing last before the servers agreed: ${missing}`)
  // Also when they were late: whether they lost anything is one question, whether they found each other in time another.
  if (problems.length > 0) {
    say(`the servers do not agree yet: ${problems[0]}`)
    await field.agreed(4 * AGREE_MS)
  }
  await until('what operators asked for is done', DONE_MS, async () => {
    const { waiting } = await field.agreed(AGREE_MS)
    if (waiting !== undefined) throw new Error(`${waiting} still waits`)
    return true
  })
  const restored = done.some((kind) => faultOf(parts, kind).restores)
  const found = await checker.check(
    {
      ...(restored ? { restored: monotonic() } : {}),
      diskFull: done.some((kind) => faultOf(parts, kind).fillsAgents),
    },
    rotten,
  )
  checker.resume()
  return { ...found, faults: [...problems, ...found.faults], faultsDone: done.length, agreedMs }
}

/**
 * One fault from its beginning until it is healed. One that cannot begin, because of another that holds, is told and left
 * out. @returns its kind
 */
async function carryOut(parts: RoundParts, { kind, at, hold, choice }: Strike): Promise<string | undefined> {
  await delay(at)
  let struck: Struck
  try {
    struck = await faultOf(parts, kind).begin(parts.field, new Random(choice))
  } catch (error) {
    parts.say(`${kind}: cannot begin now: ${sentenceOf(error)}`)
    return undefined
  }
  const begun = monotonic()
  parts.say(`${kind}: ${struck.on}, for ${(hold / 1000).toFixed(1)} s`)
  await delay(hold)
  const came = await struck.heal()
  if (came !== undefined) parts.say(`${kind}: after ${((monotonic() - begun) / 1000).toFixed(1)} s: ${came}`)
  return kind
}

function faultOf({ faults }: RoundParts, kind: string): Fault {
  return faults.find((fault) => fault.kind === kind)!
}
