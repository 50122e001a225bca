// Control characters could drive the operator's terminal, and marks of writing direction could reorder what is read;
// both may come off the wire in an LLDP neighbour's name.
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** A text as it may stand on a terminal: one line, what cannot be printed replaced by `?`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '?')
}

/**
 * A table as the page prints it: heads, dashes, rows; every column as wide as its widest cell, and at least two wider
 * than its head; two spaces between columns, no trailing spaces. Each line ends with a line end.
 */
export function textTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heads, ...rows].map((cells) => cells.map(printable))
  const widths = heads.map((head, column) =>
    lines.reduce((width, cells) => Math.max(width, widthOf(cells[column]!)), widthOf(head) + 2),
  )
  lines.splice(
    1,
    0,
    widths.map((width) => '-'.repeat(width)),
  )
  return lines.map((cells) => `${lineOf(cells, widths)}\n`).join('')
}

function lineOf(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, column) => cell + ' '.repeat(widths[column]! - widthOf(cell)))
    .join('  ')
    .trimEnd()
}

/** In characters, not UTF-16 units; plain ASCII, nearly every cell, is not taken apart for it. */
function widthOf(cell: string): number {
  return /^[ -~]*$/.test(cell) ? cell.length : [...cell].length
}
