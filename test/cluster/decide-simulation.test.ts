import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decide } from '../../src/cluster/decide.ts'
import type { View } from '../../src/cluster/types.ts'
import { play, type Story, story } from './model/story.ts'

const SEEDS = [1, 2, 3, 4]
const STORIES_A_SEED = 60

test.each(SEEDS)(
  'whatever happens to the servers: one master, agreement and every acknowledged write in the end (seed %i)',
  { timeout: 120_000 },
  (seed) => {
    fc.assert(
      fc.property(story, (one) => {
        expect(play(one)).toEqual([])
      }),
      { numRuns: STORIES_A_SEED, seed },
    )
  },
)

/** Stories that once went wrong, as small as they could be made. */
const mended: readonly (readonly [what: string, Story])[] = [
  [
    'a replica of a replica found its way back to the master',
    {
      seed: 9266643,
      formed: false,
      events: [
        { afterMs: 4801, event: { kind: 'cut', from: 0, to: 0 } },
        { afterMs: 1601, event: { kind: 'order', on: 0, turn: 2 } },
        { afterMs: 1701, event: { kind: 'replace', on: 0, place: 1 } },
        { afterMs: 6201, event: { kind: 'crash', on: 0 } },
        { afterMs: 7201, event: { kind: 'boot', on: 0 } },
      ],
      absent: 0,
    },
  ],
  [
    'a server is not made a replica of a former master that was frozen',
    {
      seed: 8666865,
      formed: true,
      events: [
        { afterMs: 209, event: { kind: 'kill redis', on: 2 } },
        { afterMs: 1288, event: { kind: 'freeze', on: 0, ms: 5439 } },
        { afterMs: 5580, event: { kind: 'kill redis', on: 1 } },
        { afterMs: 847, event: { kind: 'crash', on: 2 } },
      ],
      absent: 1,
    },
  ],
  [
    'Sentinels that named two masters in one epoch agree',
    {
      seed: 0,
      formed: false,
      events: [
        { afterMs: 5901, event: { kind: 'lose disk', on: 2 } },
        { afterMs: 0, event: { kind: 'freeze', on: 0, ms: 1101 } },
        { afterMs: 1401, event: { kind: 'crash', on: 1 } },
      ],
      absent: 0,
    },
  ],
  [
    'two lists of one generation become one',
    {
      seed: 0,
      formed: false,
      events: [
        { afterMs: 1501, event: { kind: 'isolate', on: 0 } },
        { afterMs: 0, event: { kind: 'order', on: 0, turn: 1 } },
        { afterMs: 7001, event: { kind: 'order', on: 1, turn: 2 } },
        { afterMs: 3601, event: { kind: 'kill redis', on: 0 } },
      ],
      absent: 0,
    },
  ],
  [
    'of two masters of one epoch all choose the same',
    {
      seed: 565736,
      formed: false,
      events: [
        { afterMs: 1901, event: { kind: 'isolate', on: 0 } },
        { afterMs: 2601, event: { kind: 'boot', on: 0 } },
        { afterMs: 5601, event: { kind: 'isolate', on: 0 } },
      ],
      absent: 0,
    },
  ],
  [
    'Sentinels that do not agree on whom they lost are set aside',
    {
      seed: 0,
      formed: true,
      events: [
        { afterMs: 2401, event: { kind: 'kill redis', on: 0 } },
        { afterMs: 1001, event: { kind: 'isolate', on: 2 } },
        { afterMs: 401, event: { kind: 'replace', on: 0, place: 1 } },
        { afterMs: 4101, event: { kind: 'crash', on: 1 } },
        { afterMs: 901, event: { kind: 'order', on: 0, turn: 0 } },
        { afterMs: 601, event: { kind: 'kill redis', on: 0 } },
      ],
      absent: 0,
    },
  ],
]

test.each(mended)('%s', (_, one) => {
  expect(play(one)).toEqual([])
})

/** The first story, of many, in which this rule goes wrong; what went wrong. */
function wrongWith(rule: (view: View) => ReturnType<typeof decide>): string[] {
  const found = fc.check(
    fc.property(story, (one) => play(one, rule).length === 0),
    { numRuns: 100, seed: 1, endOnFailure: true },
  )
  return found.counterexample
    ? play(found.counterexample[0], rule).filter((line) => / FAULT /.test(line))
    : []
}

test('the simulation finds it where the first of the list is always the master (traps 6, 8 and 20)', () => {
  const wrong = wrongWith((view) => {
    const decision = decide(view)
    const { redis, desired } = view.mine
    if (!desired?.formed || redis?.role !== 'replica') return decision
    const [first] = desired.order
    if (first === view.self) return { action: { do: 'promote-alone' }, why: 'this server is the first' }
    if (redis.follows !== first) return { action: { do: 'follow', master: first! }, why: 'it is the first' }
    return decision
  })
  expect(wrong.join('\n')).toMatch(/FAULT/)
})

test('the simulation finds it where nobody is elected after a full stop (trap 6)', () => {
  const wrong = wrongWith((view) => {
    const decision = decide(view)
    return decision.action.do === 'promote' ? { action: { do: 'nothing' }, why: 'no election' } : decision
  })
  expect(wrong.join('\n')).toMatch(/not whole after/)
})
