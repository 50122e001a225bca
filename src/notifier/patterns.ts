import { RE2JS } from 're2js'

/**
 * How large a pattern may become, in instructions: a bounded repetition is written out (`a{1000}` is 1,002). Time grows
 * with size times text: for 5,000 characters a pattern of 36,000 needed 10 s, the worst of 2,000 found needs 1 s, and
 * what operators write a few microseconds.
 */
const mostInstructions = 2000

const patterns = new Map<string, RE2JS>()

/** What is wrong with a regular expression, or nothing. The sentence goes on after the name of its key. */
export function patternProblem(source: string): string | undefined {
  try {
    if (compile(source).programSize() <= mostInstructions) return undefined
    return 'is too large a regular expression: repeat less'
  } catch (error) {
    const reason = (error as Error).message.replace(/^error parsing regexp: /, '').replace('(?s)', '')
    return `is not a regular expression (${reason}; look-around and back-references are not supported)`
  }
}

/**
 * Whether the pattern matches the text from its first to its last character, in a time that grows with the length of
 * the text and no faster (RE2's algorithm): no pattern can stop the notifier.
 */
export function matchesWhole(source: string, text: string): boolean {
  let pattern = patterns.get(source)
  if (!pattern) {
    // A configuration has tens; the bound is for a process that sees many configurations.
    if (patterns.size > 1000) patterns.clear()
    pattern = compile(source)
    patterns.set(source, pattern)
  }
  return pattern.matches(text)
}

/** `.` is any character, line ends too. The library says so by `(?s)` before the pattern, also in what it throws. */
const compile = (source: string) => RE2JS.compile(source, RE2JS.DOTALL)
