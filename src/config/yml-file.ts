import type { Document, LineCounter, Node } from 'yaml'
import type { z } from 'zod'

/** All that is wrong with the configuration; one line a mistake, each with its file and line. */
export class ConfigMistakes extends Error {
  readonly mistakes: readonly string[]

  constructor(mistakes: readonly string[]) {
    super(mistakes.join('\n'))
    this.mistakes = mistakes
  }
}

/** A configuration file, parsed and not yet validated. */
export interface ParsedFile {
  readonly path: string
  readonly document: Document.Parsed
  readonly lines: LineCounter
  /** What the document says, as plain values; no section: {}. */
  readonly value: Record<string, unknown>
}

/** @throws ConfigMistakes if the text is no YAML, or not one map of sections */
export async function parseFile(path: string, text: string): Promise<ParsedFile> {
  const { isMap, LineCounter, parseDocument } = await import('yaml')
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    throw new ConfigMistakes(
      document.errors.map((error) => at(path, lines, error.pos[0], `not valid YAML (${error.message})`)),
    )
  }
  if (document.contents !== null && !isMap(document.contents)) {
    throw new ConfigMistakes([
      at(path, lines, document.range[0], 'a section such as `netq-agent:` is expected'),
    ])
  }
  try {
    return { path, document, lines, value: document.toJS() ?? {} }
  } catch (error) {
    // An alias of nothing, or aliases that multiply to more than the library is willing to build.
    throw new ConfigMistakes([at(path, lines, 0, `not valid YAML (${(error as Error).message})`)])
  }
}

/** A mistake at this key or entry of a list: `path, line N: what`. */
export function mistakeAt(file: ParsedFile, keys: readonly PropertyKey[], what: string): string {
  return at(file.path, file.lines, keyOffset(file.document, keys), what)
}

/** What a schema found wrong; a key that is not known is named with those that are (`section` below says them). */
export function mistakesOf(issue: z.core.$ZodIssue, file: ParsedFile): string[] {
  if (issue.code !== 'unrecognized_keys') return [mistakeAt(file, issue.path, issue.message)]
  return issue.keys.map((key) =>
    mistakeAt(file, [...issue.path, key], `the key \`${key}\` is not known (${issue.message})`),
  )
}

/**
 * A map of exactly these keys.
 * @param wrong the sentence for what is no map
 */
export function section<Shape extends z.core.$ZodLooseShape>(
  { strictObject }: typeof z,
  shape: Shape,
  wrong: string,
): z.ZodObject<Shape, z.core.$strict> {
  const known = `known: ${Object.keys(shape).join(', ')}`
  return strictObject(shape, { error: ({ code }) => (code === 'unrecognized_keys' ? known : wrong) })
}

/** Where a key stands; for an entry of a list, where the entry stands. What is missing stands where its map does. */
function keyOffset(document: Document.Parsed, path: readonly PropertyKey[]): number {
  let node = document.contents as Node | null
  let offset = node?.range?.[0] ?? 0
  for (const key of path) {
    const collection = node as {
      items?: { key?: { value?: unknown; range?: number[] }; value?: unknown }[]
    } | null
    const items = collection?.items ?? []
    if (typeof key === 'number') {
      node = (items[key] as unknown as Node) ?? null
      offset = node?.range?.[0] ?? offset
      continue
    }
    const pair = items.find((item) => String(item.key?.value) === key)
    offset = pair?.key?.range?.[0] ?? offset
    node = (pair?.value ?? null) as Node | null
  }
  return offset
}

function at(path: string, lines: LineCounter, offset: number, what: string): string {
  return `${path}, line ${Math.max(1, lines.linePos(offset).line)}: ${what}`
}
