import { configFiles, type NetqConfig, readNetqConfig, vrfName } from '../config/netq-yml.ts'
import { type AgentServers, writeAgentServers } from '../config/netq-yml-edit.ts'
import { validateServers } from '../config/servers.ts'
import { sentenceOf } from '../platform/log.ts'
import type { Paths } from '../platform/paths.ts'
import { makeServices, type ServiceName } from '../platform/services.ts'
import type { Arguments } from '../tables/table.ts'
import { ago } from '../text/duration.ts'
import { textTable } from '../text/table.ts'
import { readAgent, remarks, serverStatus } from './agent-status.ts'
import type { Context } from './command.ts'
import { mustBeRoot, pathsOf, refusalOf, sentencesOf } from './node-files.ts'

/** `netq config add server ...` */
export async function addServers(args: Arguments, context: Context): Promise<number> {
  const checked = validateServers(String(args.server).split(' '), 'agent')
  if ('problem' in checked) throw new Error(checked.problem)
  const port = args.port === true ? Number(args['1025-65535']) : undefined
  if (port !== undefined && checked.addresses.length > 1) {
    throw new Error(
      'the three servers of a cluster are always on port 6379. Nothing was changed. Leave out the port.',
    )
  }
  const vrf = typeof args.vrf === 'string' ? args.vrf : undefined
  if (vrf !== undefined && !vrfName.test(vrf)) {
    throw new Error(`${JSON.stringify(vrf)} cannot be the name of a VRF. Nothing was changed.`)
  }
  const words = [
    ...checked.addresses,
    ...(port === undefined ? [] : ['port', port]),
    ...(vrf === undefined ? [] : ['vrf', vrf]),
  ]
  return change(context, `config add server ${words.join(' ')}`, {
    servers: checked.addresses,
    ...(port === undefined ? {} : { port }),
    ...(vrf === undefined ? {} : { vrf }),
  })
}

/** `netq config del server` */
export function deleteServers(_args: Arguments, context: Context): Promise<number> {
  return change(context, 'config del server', {})
}

async function change(context: Context, command: string, wanted: AgentServers): Promise<number> {
  const { io } = context
  const paths = pathsOf(context)
  mustBeRoot(paths, command)
  try {
    const changed = await writeAgentServers(paths, wanted)
    if (!changed && wanted.servers === undefined) {
      await io.out(`${paths.netqConfig} names no server: nothing was changed.\n`)
    }
  } catch (error) {
    await io.err(`${refusalOf(error, paths)}\n`)
    return 1
  }
  const services = makeServices(paths)
  // On a node it is netqd that asks the servers for `netq show`, and it reads at its start which.
  const answers = (await services.running('netqd')) !== undefined
  const status = answers ? await perform(io, 'Restarting netqd', () => services.restart('netqd')) : 0
  return status | (await tellWhatIsUsed(paths, wanted, answers, context))
}

/**
 * What the agent will read, which is not what was written where another file has the last word.
 * @param brief whether nothing is said if it is: the restart of netqd is then all that there is to say, as on the page
 */
async function tellWhatIsUsed(
  paths: Paths,
  wanted: AgentServers,
  brief: boolean,
  { io }: Context,
): Promise<number> {
  let agent: NetqConfig['agent']
  try {
    agent = (await readNetqConfig(paths)).agent
  } catch (error) {
    await io.err(
      `The servers are written, but netq-agent will refuse its configuration:\n${sentencesOf(error)}\n`,
    )
    return 1
  }
  const asWanted =
    agent.servers.join() === (wanted.servers ?? ['127.0.0.1']).join() &&
    agent.port === (wanted.port ?? 6379) &&
    agent.vrf === (wanted.vrf ?? 'default')
  if (asWanted && brief) return 0
  const port = agent.port === 6379 ? '' : ` port ${agent.port}`
  const vrf = agent.vrf === 'default' ? '' : ` vrf ${agent.vrf}`
  await io.out(
    `netq-agent will use ${agent.servers.join(', ')}${port}${vrf} after: netq config restart agent\n`,
  )
  if (asWanted) return 0
  const others = configFiles(paths).slice(1).join(', ')
  await io.err(`That is not what ${paths.netqConfig} says: ${others} overrides it. Change it there.\n`)
  return 1
}

/** `netq config show server [json]` */
export async function showServers(args: Arguments, context: Context): Promise<number> {
  const { io } = context
  const paths = pathsOf(context)
  let agent: NetqConfig['agent']
  try {
    agent = (await readNetqConfig(paths)).agent
  } catch (error) {
    await io.err(`netq-agent cannot use its configuration:\n${sentencesOf(error)}\n`)
    return 1
  }
  const view = readAgent(paths, (await makeServices(paths).running('netq-agent'))?.pid)
  const { port, vrf } = agent
  const servers = agent.servers.map((server) => ({ server, port, vrf, status: serverStatus(view, server) }))
  if (args.json) {
    const { pid, status } = view
    await io.out(
      `${JSON.stringify({ servers, agent: { running: pid !== undefined, ...status } }, null, 4)}\n`,
    )
    return 0
  }
  const rows = servers.map((row) => [row.server, String(row.port), row.vrf, row.status])
  const lines = remarks(view, agent.servers, Date.now()).map((line) => `${line}\n`)
  await io.out(textTable(['Server', 'Port', 'Vrf', 'Status'], rows) + lines.join(''))
  return 0
}

/** `netq config (start|stop|status|restart) agent` */
export async function controlAgent(args: Arguments, context: Context): Promise<number> {
  const { io } = context
  const paths = pathsOf(context)
  const services = makeServices(paths)
  const name: ServiceName = 'netq-agent'
  const verb = (['start', 'stop', 'restart'] as const).find((word) => args[word] === true)
  if (verb !== undefined) mustBeRoot(paths, `config ${verb} agent`)
  const running = await services.running(name)
  if (args.restart) return launch(paths, io, 'Restarting', () => services.restart(name))
  if (args.start) {
    if (!running) return launch(paths, io, 'Starting', () => services.start(name))
    await io.out(`netq-agent is running already (pid ${running.pid}).\n`)
    return 0
  }
  if (args.stop) {
    if (running) return perform(io, 'Stopping netq-agent', () => services.stop(name))
    await io.out('netq-agent is not running.\n')
    return 0
  }
  if (!running) {
    await io.out('netq-agent is not running. To start it: netq config start agent\n')
    return 1
  }
  const { status } = readAgent(paths, running.pid)
  const since = status ? `: ${status.sentence} (for ${ago(Date.now() - status.since)})` : ''
  const lines = [`netq-agent is running (pid ${running.pid})${since}`]
  if (status) lines.push(...remarks({ status }, status.servers, Date.now()))
  await io.out(`${lines.join('\n')}\n`)
  return 0
}

/**
 * Starts the agent, and believes it only once the agent has spoken or has lived for a while. With a configuration
 * that the agent would refuse nothing is done, so that a running one goes on.
 */
async function launch(
  paths: Paths,
  io: Context['io'],
  doing: string,
  action: () => Promise<void>,
): Promise<number> {
  try {
    await readNetqConfig(paths)
  } catch (error) {
    await io.err(`${sentencesOf(error)}\nNothing was started or stopped. Correct the configuration first.\n`)
    return 1
  }
  return perform(io, `${doing} netq-agent`, async () => {
    await action()
    const services = makeServices(paths)
    for (const end = Date.now() + settledMs; Date.now() < end; ) {
      const running = await services.running('netq-agent')
      if (!running) throw new Error(`netq-agent ended at once. Why is at the end of ${paths.agentLog}`)
      if (readAgent(paths, running.pid).status) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })
}

/** An agent that has not ended this long after its start has got over all that it checks at its start. */
const settledMs = 1000

/** Says what it does before it does it, and how it went on the same line. */
async function perform(io: Context['io'], what: string, action: () => Promise<void>): Promise<number> {
  await io.out(`${what}... `)
  try {
    await action()
  } catch (error) {
    await io.out('Failed!\n')
    await io.err(`netq: ${sentenceOf(error)}\n`)
    return 1
  }
  await io.out('Success!\n')
  return 0
}
