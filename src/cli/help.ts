import type { Arguments } from '../tables/table.ts'
import { type Command, type Context, linesOf } from './command.ts'

const intro = `netq shows what the network is and was, as the agents on its nodes reported it.

  netq show agents                              the agents, and whether each is heard of
  netq 'leaf*' show interfaces                  of the hosts whose name begins with leaf
  netq config ts show server                    the telemetry servers and their roles

  netq help list                                every command
  netq help verbose                             every command, and what it does
  netq help <keywords>                          the commands that have these words

Words in [ ] may be left out, one of (a|b) is chosen, <name> is a value. Words may be cut short where that leaves
no doubt. The exit status is 0 if it was done, 1 if it was not, 2 if the command was not understood.
`

/** `netq help [<keywords>...]` */
export async function help(args: Arguments, { io, commands }: Context): Promise<number> {
  if (typeof args.keywords !== 'string') {
    await io.out(intro)
    return 0
  }
  const keywords = args.keywords.toLowerCase().split(' ')
  const found = commands.filter((command) => {
    const text = linesOf(command).join(' ').toLowerCase()
    return keywords.every((keyword) => text.includes(keyword))
  })
  if (found.length > 0) return show(found, io)
  await io.err(`netq: no command has ${JSON.stringify(args.keywords)} in it. All commands: netq help list\n`)
  return 1
}

/** `netq help list` */
export async function helpList(_args: Arguments, { io, commands }: Context): Promise<number> {
  await io.out(`${commands.flatMap(linesOf).join('\n')}\n`)
  return 0
}

/** `netq help verbose` */
export function helpVerbose(_args: Arguments, { io, commands }: Context): Promise<number> {
  return show(commands, io)
}

async function show(commands: readonly Command[], io: Context['io']): Promise<number> {
  await io.out(commands.map((command) => `${linesOf(command).join('\n')}\n    ${command.summary}\n`).join(''))
  return 0
}
