import type { Arguments } from '../tables/table.ts'
import { compile, type Grammar } from './grammar.ts'
import type { Io } from './io.ts'
import type { Places } from './places.ts'

/** What a daemon is asked: the path and the JSON body of a POST. */
interface Request {
  readonly path: string
  readonly body: unknown
}

/** What a command that runs in the CLI itself is given. */
export interface Context {
  readonly io: Io
  readonly places: Places
  /** The place that `--on` named. */
  readonly on?: string
  readonly commands: readonly Command[]
}

interface Line {
  /** Usage without `netq`; see grammar.ts. */
  readonly usage: string
  /** What the help shows instead of `usage`, where values are read loosely so as to be refused with a better sentence. */
  readonly shown?: readonly string[]
  readonly summary: string
}

/** One command: a line of grammar, and who answers it. */
export type Command = Line &
  (
    | {
        readonly where: 'netqd' | 'cts-auth'
        /** A command that changes something is never asked of a second server when the first does not answer. */
        readonly changes?: true
        /** Without `yes` the daemon only says what it would do; the operator is asked, and it is asked again with it. */
        readonly confirms?: true
        request(args: Arguments): Request
      }
    | {
        /** `node`: it changes or reads the files of this node; `here`: it needs nothing but the grammar. */
        readonly where: 'node' | 'here'
        /** Resolves to the exit status. Rejects with a sentence. */
        run(args: Arguments, context: Context): Promise<number>
      }
  )

const compiled = new WeakMap<Command, Grammar>()

export function grammarOf(command: Command): Grammar {
  const known = compiled.get(command) ?? compile(command.usage)
  compiled.set(command, known)
  return known
}

/** The lines that the help shows for a command, with `netq`. */
export function linesOf(command: Command): string[] {
  return (command.shown ?? [command.usage]).map((line) => `netq ${line}`)
}

const hostname = '[<hostname>] '

/**
 * Whether the words (typed in full) may be this command or the beginning of it, by the plain words that its line
 * begins with. Parsing every line would take longer than all else that the command line does at its start.
 */
export function mayBe(command: Command, words: readonly string[]): boolean {
  const takesHostname = command.usage.startsWith(hostname)
  const line = takesHostname ? command.usage.slice(hostname.length) : command.usage
  const tokens = line.split(' ')
  const special = tokens.findIndex((token) => /[[(<|]/.test(token))
  const plain = special < 0 ? tokens : tokens.slice(0, special)
  const fits = (skip: number) => plain.every((word, index) => (words[index + skip] ?? word) === word)
  return fits(0) || (takesHostname && fits(1))
}

/** Whether these words are a command's own, or its beginning: no value is read where the last of them stands. */
export type IsTaken = (words: readonly string[]) => boolean

export function takenBy(commands: readonly Command[]): IsTaken {
  return (words) => {
    const text = words.join(' ')
    return commands.some((command) => mayBe(command, words) && grammarOf(command).beginnings.includes(text))
  }
}
