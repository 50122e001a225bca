/** The longest time without any of these moments, between two others; all in the same milliseconds, in any order. */
export function longestGap(moments: readonly number[], from: number, to: number): number {
  const within = moments.filter((moment) => moment >= from && moment <= to).sort((a, b) => a - b)
  let [longest, before] = [0, from]
  for (const moment of [...within, to]) {
    longest = Math.max(longest, moment - before)
    before = moment
  }
  return longest
}
