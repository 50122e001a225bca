import { type NetqConfig, readNetqConfig } from '../config/netq-yml.ts'
import { writeAgentStats } from '../config/netq-yml-edit.ts'
import { makeServices } from '../platform/services.ts'
import type { Arguments } from '../tables/table.ts'
import { readAgent } from './agent-status.ts'
import type { Context } from './command.ts'
import { mustBeRoot, pathsOf, refusalOf, sentencesOf } from './node-files.ts'

/** `netq config (add|del) [agent] stats` */
export async function setStats(args: Arguments, context: Context): Promise<number> {
  const { io } = context
  const paths = pathsOf(context)
  const on = args.add === true
  mustBeRoot(paths, `config ${on ? 'add' : 'del'} agent stats`)
  try {
    await writeAgentStats(paths, on)
  } catch (error) {
    await io.err(`${refusalOf(error, paths)}\n`)
    return 1
  }
  let used: boolean
  try {
    used = (await readNetqConfig(paths)).agent.stats
  } catch (error) {
    await io.err(`That is written, but netq-agent will refuse its configuration:\n${sentencesOf(error)}\n`)
    return 1
  }
  if (used !== on) {
    await io.err(
      `That is not what netq-agent will do: a file in ${paths.netqConfigFolder} overrides ${paths.netqConfig}. Change it there.\n`,
    )
    return 1
  }
  await io.out(
    `Interface statistics will be ${on ? 'collected' : 'left out'} after: netq config restart agent\n`,
  )
  return 0
}

/** `netq config show agent stats [json]` */
export async function showStats(args: Arguments, context: Context): Promise<number> {
  const { io } = context
  const paths = pathsOf(context)
  let configured: NetqConfig['agent']['stats']
  try {
    configured = (await readNetqConfig(paths)).agent.stats
  } catch (error) {
    await io.err(`netq-agent cannot use its configuration:\n${sentencesOf(error)}\n`)
    return 1
  }
  const { status } = readAgent(paths, (await makeServices(paths).running('netq-agent'))?.pid)
  const collecting = status?.stats === true
  if (args.json) {
    await io.out(`${JSON.stringify({ stats: { configured, collecting } }, null, 4)}\n`)
    return 0
  }
  await io.out(`Interface statistics: ${sentence(configured, collecting)}\n`)
  return 0
}

function sentence(configured: boolean, collecting: boolean): string {
  if (configured && collecting) return 'collected every 15 s'
  if (configured) return 'configured, and not collected before: netq config restart agent'
  return collecting
    ? 'collected until: netq config restart agent'
    : 'off; to turn them on: netq config add stats'
}
