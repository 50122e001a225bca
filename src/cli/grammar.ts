import { kindOf } from './values.ts'

/**
 * A usage line, parsed. The line itself is the parser of its command, its help and its completion:
 *
 * | notation | meaning |
 * |---|---|
 * | `show` | this word |
 * | `<name>` | a value; what it must look like follows from its name (values.ts) |
 * | `<name>...` | one value or more, given as one text with spaces between them |
 * | `[ ... ]` | may be left out; groups that follow one another may come in any order, each once |
 * | `(a\|b c\|d)` | one of these; also inside `[ ]`, and without brackets between single words: `ip\|ipv6` |
 */
export type Node =
  | { readonly kind: 'word'; readonly word: string; readonly chosen: boolean }
  | { readonly kind: 'value'; readonly name: string; readonly many: boolean }
  | { readonly kind: 'all'; readonly nodes: readonly Node[] }
  | { readonly kind: 'one'; readonly nodes: readonly Node[] }
  | { readonly kind: 'any'; readonly nodes: readonly Node[] }

export interface Grammar {
  /** The line without `netq`. */
  readonly usage: string
  readonly root: Node
  readonly takesHostname: boolean
  /** Words that a value of this line may not be, because they are its keywords after the fixed beginning. */
  readonly keywords: ReadonlySet<string>
  /** Names of its values that have a form of their own, such as `ip`. */
  readonly forms: readonly string[]
  /** The beginnings of fixed words: `show`, `show interfaces`, `show interfaces type`, ... */
  readonly beginnings: readonly string[]
}

/** Throws an Error that quotes the line if the line is not well formed: a fault of the program, not of its user. */
export function compile(usage: string): Grammar {
  const root = parse(usage)
  const nodes = root.kind === 'all' ? root.nodes : [root]
  const takesHostname = isHostname(nodes[0])
  const fixed = takesHostname ? nodes.slice(1) : nodes
  const start = fixed.findIndex((node) => node.kind !== 'word')
  const rest = start < 0 ? [] : fixed.slice(start)
  return {
    usage,
    root,
    takesHostname,
    keywords: new Set(rest.flatMap(wordsOf)),
    forms: rest.flatMap(valuesOf).filter((name) => kindOf(name)?.resembles),
    beginnings: beginningsOf(fixed),
  }
}

function isHostname(node: Node | undefined): boolean {
  const inner = node?.kind === 'any' ? node.nodes[0] : undefined
  return inner?.kind === 'value' && inner.name === 'hostname'
}

function parse(usage: string): Node {
  const tokens = usage.match(/<[^>]*>(?:\.\.\.)?|[[\]()|]|[^\s[\]()|<>]+/g) ?? []
  let at = 0
  const fault = () => new Error(`the usage line \`${usage}\` is not well formed`)

  function item(chosen: boolean): Node {
    const token = tokens[at++]
    if (token === undefined || token === ')' || token === ']' || token === '|') throw fault()
    if (token === '(' || token === '[') {
      const inner = alternatives()
      if (tokens[at++] !== (token === '(' ? ')' : ']')) throw fault()
      return token === '(' ? inner : { kind: 'any', nodes: [inner] }
    }
    if (!token.startsWith('<')) return { kind: 'word', word: token, chosen }
    const name = token.slice(1, token.indexOf('>'))
    return { kind: 'value', name, many: token.endsWith('...') }
  }

  /** Inside brackets, where `|` separates whole sequences. */
  function alternatives(): Node {
    const found: Node[] = []
    do {
      const nodes: Node[] = []
      while (at < tokens.length && !')]|'.includes(tokens[at]!)) nodes.push(item(true))
      if (nodes.length === 0) throw fault()
      found.push(sequence(nodes))
    } while (tokens[at] === '|' && at++ >= 0)
    return found.length === 1 ? found[0]! : { kind: 'one', nodes: found }
  }

  const nodes: Node[] = []
  while (at < tokens.length) {
    const single = [item(tokens[at + 1] === '|')]
    while (tokens[at] === '|') {
      at++
      single.push(item(true))
    }
    nodes.push(single.length === 1 ? single[0]! : { kind: 'one', nodes: single })
  }
  if (nodes.length === 0) throw fault()
  return sequence(nodes)
}

/** Joins optional groups that follow one another: their order is free. */
function sequence(nodes: readonly Node[]): Node {
  const joined: Node[] = []
  nodes.forEach((node, index) => {
    const before = joined.at(-1)
    // The host name stays in front: it is not one of the command's own options.
    if (node.kind === 'any' && before?.kind === 'any' && !(index === 1 && isHostname(before)))
      joined[joined.length - 1] = { kind: 'any', nodes: [...before.nodes, ...node.nodes] }
    else joined.push(node)
  })
  return joined.length === 1 ? joined[0]! : { kind: 'all', nodes: joined }
}

function wordsOf(node: Node): string[] {
  if (node.kind === 'word') return [node.word]
  return node.kind === 'value' ? [] : node.nodes.flatMap(wordsOf)
}

function valuesOf(node: Node): string[] {
  if (node.kind === 'value') return [node.name]
  return node.kind === 'word' ? [] : node.nodes.flatMap(valuesOf)
}

function beginningsOf(nodes: readonly Node[]): string[] {
  const found: string[] = []
  let ends = ['']
  for (const node of nodes) {
    const single = node.kind === 'one' ? node.nodes : [node]
    if (!single.every((choice) => choice.kind === 'word')) break
    ends = ends.flatMap((end) => single.map((choice) => `${end} ${choice.word}`.trim()))
    found.push(...ends)
  }
  return found
}
