/** `node tally.mjs (<vitest's results.json> <vitest's exit status>)...` prints `N passed, N failed, N skipped` on a line. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {{ status: string, assertionResults: readonly { status: string }[] }} FileResult
 * @param {{ testResults: readonly FileResult[] } | undefined} results undefined: vitest did not come to write them
 * @param {number} status vitest's exit status
 * @returns {string[]} the lines to print, the tally last. It never says `0 failed` of a run that failed.
 */
export function tally(results, status) {
  const count = { passed: 0, failed: 0, skipped: 0 }
  for (const file of results?.testResults ?? []) {
    for (const test of file.assertionResults) {
      if (test.status === 'passed' || test.status === 'failed') count[test.status]++
      else count.skipped++
    }
    // It could not be loaded, so its tests are not known: one failure.
    if (file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'))
      count.failed++
  }
  const lines = []
  if (status !== 0 && count.failed === 0) {
    const what = results ? 'though no test failed' : 'and left no results'
    lines.push(
      `The run itself ended with status ${status} ${what}, see above; that is counted as one failure.`,
    )
    count.failed = 1
  }
  return [...lines, `${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`]
}

/**
 * The lines of several runs as one: their sentences, and the sums.
 * @param {readonly string[][]} tallies as tally gives them
 * @returns {string[]}
 */
export function together(tallies) {
  const counts = tallies.map((lines) => (lines.at(-1)?.match(/\d+/g) ?? []).map(Number))
  const [passed, failed, skipped] = [0, 1, 2].map((column) =>
    counts.reduce((sum, count) => sum + (count[column] ?? 0), 0),
  )
  return [
    ...tallies.flatMap((lines) => lines.slice(0, -1)),
    `${passed} passed, ${failed} failed, ${skipped} skipped`,
  ]
}

/** @param {string} file */
function resultsIn(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const words = process.argv.slice(2)
  const runs = words.flatMap((file, index) => (index % 2 === 0 ? [[file, words[index + 1] ?? '']] : []))
  const tallies = runs.map(([file = '', status = '']) => tally(resultsIn(file), Number(status)))
  for (const line of together(tallies)) console.log(line)
}
