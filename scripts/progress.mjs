/**
 * Does one step of a set-up, and says so in one line on standard error: on a terminal the line is finished with the
 * time that the step took; elsewhere it is written whole before the step begins.
 * @template T
 * @param {string} what e.g. `Bundling the programs`
 * @param {() => T | Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(what, work) {
  const terminal = process.stderr.isTTY
  process.stderr.write(terminal ? `${what} ... ` : `${what}\n`)
  const start = Date.now()
  try {
    const result = await work()
    if (terminal) process.stderr.write(`${((Date.now() - start) / 1000).toFixed(1)} s\n`)
    return result
  } catch (error) {
    if (terminal) process.stderr.write('failed\n')
    throw error
  }
}
