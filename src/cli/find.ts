import type { Arguments } from '../tables/table.ts'
import { printable } from '../text/table.ts'
import { type Command, grammarOf, type IsTaken, linesOf, mayBe, takenBy } from './command.ts'
import { match, type Outcome, type Reading } from './match.ts'

/** What was typed, understood; or what to tell who typed it. */
export type Found =
  | { readonly command: Command; readonly args: Arguments }
  /** A sentence, and the usage lines nearest to what was typed. */
  | { readonly problem: string; readonly usage: readonly string[] }

/** How many usage lines an error shows at most. */
const shownLines = 6

/** Finds the command that the words (without `netq`) are. Words typed in full win over abbreviated ones. */
export function find(commands: readonly Command[], words: readonly string[]): Found {
  const isTaken = takenBy(commands)
  for (const abbreviate of [false, true]) {
    const candidates = abbreviate ? commands : commands.filter((command) => mayBe(command, words))
    const hits = candidates.flatMap((command) =>
      match(grammarOf(command), words, isTaken, abbreviate).readings.map((reading) => ({ command, reading })),
    )
    const least = Math.min(...hits.map((hit) => hit.reading.abbreviated))
    const best = plainFirst(
      hits.filter((hit) => hit.reading.abbreviated === least),
      words,
    )
    if (best.length === 0) continue
    const doubt = doubtful(commands, words, best)
    if (doubt) return doubt
    return { command: best[0]!.command, args: best[0]!.reading.args }
  }
  return unknown(commands, words, isTaken)
}

/** The keywords and values that may follow the words, which are complete; abbreviated words are understood. */
export function following(commands: readonly Command[], words: readonly string[]): string[] {
  const isTaken = takenBy(commands)
  for (const abbreviate of [false, true]) {
    const next = new Set(
      commands.flatMap((command) => {
        const outcome = match(grammarOf(command), words, isTaken, abbreviate)
        return outcome.understood === words.length ? outcome.words : []
      }),
    )
    if (next.size > 0) return [...next].sort()
  }
  return []
}

interface Hit {
  readonly command: Command
  readonly reading: Reading
}

/** A plain keyword is meant before one with a hyphen: `int` is `interfaces` and not `interface-stats`. */
function plainFirst(hits: readonly Hit[], words: readonly string[]): readonly Hit[] {
  const plain = hits.filter(
    ({ reading }) => !reading.words.some((word, index) => word !== words[index] && word.includes('-')),
  )
  return plain.length > 0 ? plain : hits
}

/** An abbreviation must leave no other keyword possible at its place, even if that one would not fit the rest. */
function doubtful(
  commands: readonly Command[],
  words: readonly string[],
  best: readonly Hit[],
): Found | undefined {
  const usage = [...new Set(best.flatMap((hit) => linesOf(hit.command)))].slice(0, shownLines)
  for (const { reading } of best) {
    for (const [index, typed] of words.entries()) {
      const meant = reading.words[index]!
      if (meant === typed) continue
      const could = following(commands, reading.words.slice(0, index)).filter(
        (word) => word.startsWith(typed) && (meant.includes('-') || !word.includes('-')),
      )
      if (could.length > 1)
        return { problem: `\`${typed}\` could be ${either(could)}: type more of it.`, usage }
    }
  }
  if (best.length === 1) return undefined
  return { problem: `${quoted(words)} can be read in more than one way.`, usage }
}

function unknown(commands: readonly Command[], words: readonly string[], isTaken: IsTaken): Found {
  if (words.length === 0) return { problem: 'a command is missing.', usage: [] }
  // A first word that is nearly a keyword is a mistyped keyword rather than a host's name.
  const slips = commands.map((command) => edits(words[0]!, grammarOf(command).beginnings[0]!))
  const mistyped = Math.min(...slips) === 1
  const ranked = commands
    .map((command) => {
      const misread = mistyped && grammarOf(command).takesHostname
      const outcome = misread ? nothing : match(grammarOf(command), words, isTaken)
      const cost = distance(command, words, mistyped ? 3 : 0.25)
      return { command, outcome, rank: cost - 1.5 * outcome.understood }
    })
    .sort((a, b) => a.rank - b.rank)
  const near = ranked.filter(({ rank }) => rank <= ranked[0]!.rank + 0.5)
  const understood = Math.max(...near.map(({ outcome }) => outcome.understood))
  const closest = near.filter(({ outcome }) => outcome.understood === understood)
  const usage = near.flatMap(({ command }) => linesOf(command))
  const shown = usage.slice(0, shownLines)
  if (usage.length > shownLines) shown.push(`... and ${usage.length - shownLines} more`)
  return {
    problem: explain(
      words,
      understood,
      closest.map(({ outcome }) => outcome),
    ),
    usage: shown,
  }
}

const nothing: Outcome = { readings: [], understood: 0, words: [], values: [], faults: [] }

function explain(words: readonly string[], understood: number, outcomes: readonly Outcome[]): string {
  const unique = (pick: (outcome: Outcome) => readonly string[]) => [...new Set(outcomes.flatMap(pick))]
  const next = [...unique((outcome) => outcome.words), ...unique((outcome) => outcome.values)]
  const typed = words[understood]
  if (typed === undefined) {
    return `${quoted(words)} is not complete${next.length > 0 ? `: ${either(next)} is missing` : ''}.`
  }
  const faults = unique((outcome) => outcome.faults)
  if (faults.length > 0) return `${quoted([typed])} is not ${either(faults)}.`
  if (understood < 2) return `there is no command ${quoted(words)}.`
  return `${quoted([typed])} is not understood after ${quoted(words.slice(0, understood))}.`
}

/** How far the words are from a command's fixed words, in letters; a word that is merely missing costs little. */
function distance(command: Command, words: readonly string[], hostnameCost: number): number {
  const { beginnings: all, takesHostname } = grammarOf(command)
  const longest = Math.max(...all.map((text) => text.split(' ').length))
  const costs = all
    .map((text) => text.split(' '))
    .filter((path) => path.length === longest)
    .flatMap((path) =>
      (takesHostname ? [0, 1] : [0]).map((skip) => along(path, words.slice(skip)) + skip * hostnameCost),
    )
  return Math.min(...costs)
}

function along(path: readonly string[], words: readonly string[]): number {
  return path.reduce((sum, word, index) => {
    const typed = words[index]
    if (typed === undefined) return sum + 0.1
    if (word.startsWith(typed) && typed !== '') return sum + (word === typed ? 0 : 0.1)
    // Beyond a slip or two one wrong word is as wrong as another.
    return sum + Math.min(2, edits(typed, word))
  }, 0)
}

/** Insertions, deletions, replacements and swaps of neighbours that make one word of the other. */
function edits(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)]
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1
      let least = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + same)
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1])
        least = Math.min(least, rows[i - 2]![j - 2]! + 1)
      row.push(least)
    }
    rows.push(row)
  }
  return rows[from.length]![to.length]!
}

function quoted(words: readonly string[]): string {
  const text = printable(words.join(' '))
  return `\`${text.length > 200 ? `${text.slice(0, 200)}...` : text}\``
}

function either(words: readonly string[]): string {
  if (words.length < 2) return words.join('')
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}
