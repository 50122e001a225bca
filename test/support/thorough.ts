/** Whether the long loops run whole: `NETQ_TEST_THOROUGH=1 npm test`. The figures in docs/ are from such runs. */
const thorough = process.env.NETQ_TEST_THOROUGH === '1'

/** All of these, or, in a run that is not thorough, so many spread over them; says so. */
export function sample<T>(what: string, all: readonly T[], count: number): T[] {
  if (thorough || all.length <= count) return [...all]
  process.stdout.write(`${what}: ${count} of ${all.length} (NETQ_TEST_THOROUGH=1 runs all)\n`)
  return Array.from({ length: count }, (_, i) => all[Math.floor(((i + 0.5) * all.length) / count)]!)
}
