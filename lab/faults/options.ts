/** What to run. */
export interface Options {
  readonly minutes: number
  readonly seed: number
  /** The number of the first round, from 1 on. */
  readonly round: number
  /** How many rounds at most. */
  readonly rounds: number
}

export const usage = `Usage: npm run faults -- [--minutes N] [--seed S] [--round K] [--rounds M]
  --minutes N   for how long (10); the round that has begun is ended
  --seed S      which faults (1); the same seed gives the same plan
  --round K     begins with round K of that plan, on a fresh cluster
  --rounds M    ends after M rounds
`

/** The options in these words, or a sentence that says what is wrong with them. */
export function optionsFrom(words: readonly string[]): Options | string {
  const known: Record<string, number> = { minutes: 10, seed: 1, round: 1, rounds: Number.POSITIVE_INFINITY }
  for (let i = 0; i < words.length; i += 2) {
    const name = /^--(\w+)$/.exec(words[i]!)?.[1] ?? ''
    if (!Object.hasOwn(known, name)) return `${words[i]} is not an option.`
    const value = Number(words[i + 1])
    if (!(name === 'minutes' ? value > 0 : Number.isSafeInteger(value) && value >= (name === 'seed' ? 0 : 1)))
      return `--${name} needs a number, and ${words[i + 1] ?? 'nothing'} is not one that it takes.`
    known[name] = value
  }
  return known as unknown as Options
}
