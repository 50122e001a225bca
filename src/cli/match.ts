import type { Arguments } from '../tables/table.ts'
import type { Grammar, Node } from './grammar.ts'
import { kindOf, plain } from './values.ts'

/** One way to read the words as this line. */
export interface Reading {
  readonly args: Arguments
  /** The words with abbreviations written out. */
  readonly words: readonly string[]
  readonly abbreviated: number
}

export interface Outcome {
  readonly readings: readonly Reading[]
  /** How many words were understood before one was not, or before there were no more. */
  readonly understood: number
  /** Keywords that would have been right there. */
  readonly words: readonly string[]
  /** Values that would have been right there, as `<name>`. */
  readonly values: readonly string[]
  /** Why the word there is none of the values with a form of their own. */
  readonly faults: readonly string[]
}

interface State {
  readonly at: number
  readonly args: Arguments
  readonly words: readonly string[]
  readonly abbreviated: number
}

type Next = (state: State) => void

/**
 * Reads words (without `netq`) as a usage line, in every way that is possible.
 * @param isTaken whether words are the beginning of some command: no value is read where another command's word stands
 * @param abbreviate whether keywords may be cut short
 */
export function match(
  grammar: Grammar,
  words: readonly string[],
  isTaken: (words: readonly string[]) => boolean,
  abbreviate = false,
): Outcome {
  const readings = new Map<string, Reading>()
  let understood = 0
  let expected = new Set<string>()
  let values = new Set<string>()
  let faults = new Set<string>()

  function reach(at: number): boolean {
    if (at > understood) {
      understood = at
      expected = new Set()
      values = new Set()
      faults = new Set()
    }
    return at === understood
  }

  function walk(node: Node, state: State, next: Next): void {
    switch (node.kind) {
      case 'all':
        walkAll(node.nodes, state, next)
        break
      case 'any':
        walkAny(node.nodes, state, next)
        break
      case 'one':
        for (const choice of node.nodes) walk(choice, state, next)
        break
      case 'word':
        walkWord(node.word, node.chosen, state, next)
        break
      case 'value':
        walkValue(node.name, node.many, state, next)
    }
  }

  function walkAll(nodes: readonly Node[], state: State, next: Next): void {
    const [first, ...rest] = nodes
    if (first) walk(first, state, (after) => walkAll(rest, after, next))
    else next(state)
  }

  function walkAny(nodes: readonly Node[], state: State, next: Next): void {
    for (const node of nodes) {
      const others = nodes.filter((other) => other !== node)
      walk(node, state, (after) => walkAny(others, after, next))
    }
    next(state)
  }

  function walkWord(word: string, chosen: boolean, state: State, next: Next): void {
    const typed = words[state.at]
    if (typed === word || (abbreviate && typed !== undefined && typed !== '' && word.startsWith(typed))) {
      next({
        at: state.at + 1,
        args: chosen ? { ...state.args, [word]: true } : state.args,
        words: [...state.words, word],
        abbreviated: state.abbreviated + (typed === word ? 0 : 1),
      })
    } else if (reach(state.at)) expected.add(word)
  }

  function walkValue(name: string, many: boolean, state: State, next: Next): void {
    const typed = words[state.at]
    const fault = typed === undefined ? '' : refusal(name, typed, state)
    if (typed === undefined || fault !== undefined) {
      if (!reach(state.at)) return
      values.add(`<${name}>`)
      if (fault) faults.add(fault)
      return
    }
    const before = state.args[name]
    const after: State = {
      at: state.at + 1,
      args: { ...state.args, [name]: many && typeof before === 'string' ? `${before} ${typed}` : typed },
      words: [...state.words, typed],
      abbreviated: state.abbreviated,
    }
    if (many) walkValue(name, many, after, next)
    next(after)
  }

  /** Undefined if the word can be this value; else why not, or '' where there is nothing to say but the usage. */
  function refusal(name: string, typed: string, state: State): string | undefined {
    const own = state.words.slice(grammar.takesHostname && state.args.hostname !== undefined ? 1 : 0)
    if (isTaken([...own, typed]) || grammar.keywords.has(typed)) return ''
    const kind = kindOf(name)
    if (kind) return kind.accepts(typed) ? undefined : kind.is
    if (!plain(typed)) return ''
    return grammar.forms.some((form) => kindOf(form)?.resembles?.test(typed)) ? '' : undefined
  }

  walk(grammar.root, { at: 0, args: {}, words: [], abbreviated: 0 }, (state) => {
    reach(state.at)
    if (state.at === words.length)
      readings.set(JSON.stringify([state.words, Object.entries(state.args).sort()]), state)
  })
  return {
    readings: [...readings.values()],
    understood,
    words: [...expected],
    values: [...values],
    faults: [...faults],
  }
}
