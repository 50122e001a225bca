import { TestRunner } from 'vitest'

/** Skips the test that is running. The reason (one line, e.g. `needs root`) is listed at the end of the run. */
export function skip(reason: string): never {
  const test = TestRunner.getCurrentTest()
  if (!test) throw new Error(`skip('${reason}') was called outside of a test`)
  return test.context.skip(reason)
}
