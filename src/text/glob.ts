type Piece = '*' | ((char: string) => boolean)

/**
 * Whether a name fits a pattern as a shell has it: `*` any run, `?` one character, `[a-c]` one of these, `[!a-c]` one
 * that is not; everything else is itself, as is a `[` that is never closed. Case counts.
 * Takes time proportional to pattern times name at worst, whatever the pattern: no regular expression is built from it.
 */
export function globMatcher(pattern: string): (name: string) => boolean {
  const pieces = piecesOf(pattern)
  return (name) => fits(pieces, name)
}

function piecesOf(pattern: string): Piece[] {
  const pieces: Piece[] = []
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i]!
    const close = char === '[' ? pattern.indexOf(']', i + (pattern[i + 1] === '!' ? 3 : 2)) : -1
    if (char === '*') {
      if (pieces.at(-1) !== '*') pieces.push('*')
    } else if (char === '?') {
      pieces.push(() => true)
    } else if (close > 0) {
      pieces.push(oneOf(pattern.slice(i + 1, close)))
      i = close
    } else {
      pieces.push((other) => other === char)
    }
  }
  return pieces
}

function oneOf(set: string): (char: string) => boolean {
  const negated = set.startsWith('!')
  const ranges = [...set.slice(negated ? 1 : 0).matchAll(/(.)-(.)|(.)/gs)].map(([, low, high, only]) => ({
    low: low ?? only!,
    high: high ?? only!,
  }))
  return (char) => ranges.some(({ low, high }) => low <= char && char <= high) !== negated
}

/** Greedy, going back to the last `*` only: an earlier one never has to take more than it did. */
function fits(pieces: readonly Piece[], name: string): boolean {
  let at = 0
  let star = -1
  let starredTo = 0
  for (let i = 0; i < name.length; ) {
    const piece = pieces[at]
    if (piece === '*') {
      star = at++
      starredTo = i
    } else if (piece?.(name[i]!)) {
      at++
      i++
    } else if (star >= 0) {
      at = star + 1
      i = ++starredTo
    } else {
      return false
    }
  }
  while (pieces[at] === '*') at++
  return at === pieces.length
}
