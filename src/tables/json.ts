/** An object of a program's JSON output, not looked into yet. */
export type Item = Readonly<Record<string, unknown>>

/**
 * The objects in a program's output that is a JSON list. Empty objects, which iproute2 leaves where it filtered
 * something out, are not among them.
 * Throws an Error with one sentence if the output is anything else; nothing printed at all is not an empty list.
 */
export function itemsOf(output: string, argv: readonly string[]): Item[] {
  const list = jsonOf(output, argv)
  if (!Array.isArray(list) || !list.every(isItem))
    throw unexpected(argv, 'something that is not a list of objects')
  return list.filter((item) => Object.keys(item).length > 0)
}

/** The value of a program's JSON output. Throws an Error with one sentence if it is not JSON. */
export function jsonOf(output: string, argv: readonly string[]): unknown {
  try {
    return JSON.parse(output)
  } catch {
    throw unexpected(argv, output.trim() === '' ? 'nothing' : `no JSON but "${output.trim().slice(0, 60)}"`)
  }
}

/** The error of an output that is not what the program is known to print. */
export function unexpected(argv: readonly string[], what: string): Error {
  return new Error(
    `"${argv.join(' ')}" printed ${what.replace(/[\x00-\x1f]+/g, ' ')}, so what it reports was not read`,
  )
}

/** A field that every object of this output has. Throws an Error with one sentence if it is not a text. */
export function required(item: Item, field: string, argv: readonly string[]): string {
  const value = item[field]
  if (typeof value !== 'string' || value === '')
    throw unexpected(argv, `an object without "${field}" (${JSON.stringify(item).slice(0, 60)})`)
  return value
}

/** A field as text, number, object or list; what a list holds besides objects (or texts) is left out. */
export function textOf(item: Item, field: string): string | undefined {
  const value = item[field]
  return typeof value === 'string' ? value : undefined
}

export function numberOf(item: Item, field: string): number | undefined {
  const value = item[field]
  return typeof value === 'number' ? value : undefined
}

export function objectOf(item: Item, field: string): Item {
  const value = item[field]
  return isItem(value) ? value : {}
}

export function objectsOf(item: Item, field: string): Item[] {
  const value = item[field]
  return Array.isArray(value) ? value.filter(isItem) : []
}

export function textsOf(item: Item, field: string): string[] {
  const value = item[field]
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}

function isItem(value: unknown): value is Item {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
