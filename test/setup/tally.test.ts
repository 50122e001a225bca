import { describe, expect, it } from 'vitest'
import { tally, together } from '../../scripts/tally.mjs'

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map((status) => ({ status })),
})

describe('the closing line', () => {
  it('counts the tests', () => {
    const results = {
      testResults: [file('passed', 'passed', 'pending', 'todo'), file('failed', 'failed', 'passed')],
    }
    expect(tally(results, 1)).toEqual(['2 passed, 1 failed, 2 skipped'])
    expect(tally({ testResults: [file('passed', 'passed')] }, 0)).toEqual(['1 passed, 0 failed, 0 skipped'])
  })

  it('counts a file that could not be loaded', () => {
    expect(tally({ testResults: [file('passed', 'passed'), file('failed')] }, 1)).toEqual([
      '1 passed, 1 failed, 0 skipped',
    ])
  })

  it('sums several runs, and keeps what was said of each', () => {
    const passed = tally({ testResults: [file('passed', 'passed', 'pending')] }, 0)
    expect(together([passed, tally(undefined, 124)])).toEqual([
      'The run itself ended with status 124 and left no results, see above; that is counted as one failure.',
      '1 passed, 1 failed, 1 skipped',
    ])
  })

  it('never says 0 failed of a run that failed', () => {
    expect(tally({ testResults: [file('passed', 'passed')] }, 1)).toEqual([
      'The run itself ended with status 1 though no test failed, see above; that is counted as one failure.',
      '1 passed, 1 failed, 0 skipped',
    ])
    expect(tally(undefined, 124).at(-1)).toBe('0 passed, 1 failed, 0 skipped')
  })
})
