import { describe, expect, it } from 'vitest'
import { allFaults } from '../../lab/faults/kinds/all.ts'
import { optionsFrom } from '../../lab/faults/options.ts'
import { type Planned, planRound } from '../../lab/faults/plan.ts'

const faults: readonly Planned[] = allFaults(true)
const strikesOf = (rounds: number) =>
  Array.from({ length: rounds }, (_, i) => planRound(7, i + 1, faults)).flatMap((plan) =>
    plan.map(({ strikes }) => strikes),
  )

describe('the plan of a round', () => {
  it('is the same for the same seed and round, whatever was planned before', () => {
    const again = planRound(3, 12, faults)
    for (let round = 1; round < 12; round++) planRound(3, round, faults)
    expect(planRound(3, 12, faults)).toEqual(again)
  })

  it('is another one for another seed, and for another round', () => {
    const plans = [planRound(3, 12, faults), planRound(4, 12, faults), planRound(3, 13, faults)]
    expect(new Set(plans.map((plan) => JSON.stringify(plan))).size).toBe(3)
  })

  it('has every fault sooner or later, alone and in pairs', () => {
    const episodes = strikesOf(300)
    expect(new Set(episodes.flat().map(({ kind }) => kind))).toEqual(new Set(faults.map(({ kind }) => kind)))
    const pairs = episodes.filter((strikes) => strikes.length === 2).length
    expect(pairs).toBeGreaterThan(150)
    expect(pairs).toBeLessThan(350)
  })

  it('has the second fault of a pair begin while the first holds, and neither of one that has to be alone', () => {
    const alone = new Set(faults.filter((fault) => fault.alone !== undefined).map(({ kind }) => kind))
    for (const [first, second] of strikesOf(300)) {
      if (!second) continue
      expect(second.at).toBeLessThanOrEqual(first!.hold)
      expect([first!.kind, second.kind].filter((kind) => alone.has(kind))).toEqual([])
      expect(second.kind).not.toBe(first!.kind)
    }
  })

  it('holds each fault as long as its declaration says', () => {
    for (const strike of strikesOf(300).flat()) {
      const [least, most] = faults.find(({ kind }) => kind === strike.kind)!.hold
      expect(strike.hold).toBeGreaterThanOrEqual(least)
      expect(strike.hold).toBeLessThanOrEqual(most)
    }
  })
})

describe('the options', () => {
  it('name a seed, a round and how long', () => {
    expect(optionsFrom(['--seed', '5', '--round', '3', '--minutes', '0.5'])).toMatchObject({
      seed: 5,
      round: 3,
      minutes: 0.5,
    })
  })

  it('are refused with a sentence', () => {
    expect(optionsFrom(['--seeds', '5'])).toBe('--seeds is not an option.')
    expect(optionsFrom(['--round', '0'])).toBe('--round needs a number, and 0 is not one that it takes.')
    expect(optionsFrom(['--seed'])).toBe('--seed needs a number, and nothing is not one that it takes.')
  })
})
