import { sentenceOf } from '../platform/log.ts'
import { tables } from '../tables/index.ts'
import { NeedsRoot, runAsRoot } from './as-root.ts'
import type { Context } from './command.ts'
import { commandsFor } from './commands.ts'
import { complete, completionWord } from './completion.ts'
import { find } from './find.ts'
import type { Io } from './io.ts'
import { placeNamed, readPlaces } from './places.ts'

/**
 * Does what the operator typed after `netq`. Resolves to the exit status: 0 done, 1 not done, 2 not understood.
 * Whatever goes wrong is told on `io.err` in words.
 */
export async function run(words: readonly string[], env: NodeJS.ProcessEnv, io: Io): Promise<number> {
  const commands = commandsFor(tables)
  try {
    if (words[0] === completionWord) {
      const candidates = complete(commands, words.slice(1), readPlaces(env))
      await io.out(candidates.map((candidate) => `${candidate}\n`).join(''))
      return 0
    }
    const { rest, on } = takeOn(words)
    const found = find(commands, rest.length === 1 && isHelp(rest[0]!) ? ['help'] : rest)
    if ('problem' in found) {
      const usage = found.usage.map((line) => `  ${line}\n`).join('')
      await io.err(`netq: ${found.problem}\n${usage}All commands: netq help list\n`)
      return 2
    }
    const { command, args } = found
    const places = readPlaces(env)
    if (on !== undefined) placeNamed(places, on)
    const context: Context = { io, places, commands, ...(on === undefined ? {} : { on }) }
    if ('run' in command) return await command.run(args, context)
    const { ask } = await import('./ask.ts')
    return await ask(command, args, context)
  } catch (error) {
    const status = error instanceof NeedsRoot ? await runAsRoot(words) : undefined
    if (status !== undefined) return status
    await io.err(`netq: ${sentenceOf(error)}\n`)
    return 1
  }
}

const isHelp = (word: string) => word === '--help' || word === '-h'

/** `--on <name>` and `--on=<name>`, wherever they stand: no other word begins with a dash. */
function takeOn(words: readonly string[]): { rest: string[]; on?: string } {
  const rest: string[] = []
  const names: string[] = []
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!
    if (word === '--on') names.push(words[++index] ?? '')
    else if (word.startsWith('--on=')) names.push(word.slice('--on='.length))
    else rest.push(word)
  }
  if (names.length > 1) throw new Error('`--on` is given twice: it takes the name of one server.')
  if (names[0] === '') throw new Error('`--on` needs the name of a server: netq --on ts01 ...')
  return names.length === 0 ? { rest } : { rest, on: names[0]! }
}
