import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { failed } from '../../lab/faults/seeds.ts'
import { whyNoNetwork } from '../../lab/netns.ts'
import { skip } from '../setup/skip.ts'
import { sample } from '../support/thorough.ts'

const program = join(import.meta.dirname, '../../dist/faults.js')

/** `npm run faults -- ...` without what npm does around it. */
function faults(...words: readonly string[]): Promise<{ out: string; status: number }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...words], (error, out, err) => {
      resolve({ out: `${out}${err}`, status: error ? Number(error.code) || 1 : 0 })
    })
  })
}

describe('a run of the fault harness', { timeout: 120_000 }, () => {
  const network = () => {
    const why = whyNoNetwork()
    if (why !== undefined) skip(why)
  }

  it('does a round of faults, finds everything right, says so and leaves nothing behind', async () => {
    network()
    const { out, status } = await faults('--seed', '1', '--rounds', '1')
    expect(out).toMatch(/^S1 R1 +[\d.]+ s {2}CHECK right: acknowledged \d{3,}, lost 0, duplicated 0, /m)
    expect(out).toMatch(
      /\n\| \d{4}-\d\d-\d\d \| 1 \| \d+ \| 1 \| \d+ \| \d{3,} \| 0 \| 0 \| \d+ \| \d+ ms \| \d+ ms \| 0 \|\n$/,
    )
    expect(status).toBe(0)
  })

  for (const { seed, round, was } of sample('rounds of the harness that failed once', failed, 1)) {
    it(`is right where it once was not: seed ${seed}, round ${round}: ${was}`, async () => {
      network()
      const { out, status } = await faults('--seed', `${seed}`, '--round', `${round}`, '--rounds', '1')
      expect(out).toContain('CHECK right')
      expect(status).toBe(0)
    })
  }

  it('refuses what it does not understand, and begins nothing', async () => {
    const { out, status } = await faults('--minutes', 'many')
    expect(out).toContain(
      'faults: --minutes needs a number, and many is not one that it takes.\nUsage: npm run faults',
    )
    expect(status).toBe(2)
  })
})
