import type {
  AddServersRequest,
  ConfirmRequest,
  JsonRequest,
  ShowRequest,
  ShowServersRequest,
} from '../api/types.ts'
import type { Arguments, Table } from '../tables/table.ts'
import type { Command, Context } from './command.ts'
import { bashScript } from './completion.ts'
import { help, helpList, helpVerbose } from './help.ts'
import { notifierCommands } from './notifier-commands.ts'

/** Every command, in the order of the help. */
export function commandsFor(tables: readonly Table[]): Command[] {
  return [
    showCommand('agents', 0, 'show agents [count] [json]', 'The agents, and whether each is heard of'),
    ...tables.flatMap((table) =>
      table.shows.map((show, index) => showCommand(table.name, index, show.usage, show.summary)),
    ),
    showCommand(
      'notifications',
      0,
      'show notifications [count] [json]',
      'What the notifier told whom, and when',
    ),
    showCommand(
      'interface-stats',
      0,
      'show interface-stats [<interface>] [errors] [between <text-time> and <text-endtime>] [json]',
      'What the interfaces counted, and their rates; of the last 5 minutes',
    ),
    ...clusterCommands,
    ...notifierCommands,
    ...nodeCommands,
    ...ownCommands,
  ]
}

function showCommand(table: string, show: number, usage: string, summary: string): Command {
  return {
    usage: `[<hostname>] ${usage}`,
    summary,
    where: 'netqd',
    request(all) {
      const { hostname, ...args } = all
      const body: ShowRequest = { table, show, ...(typeof hostname === 'string' ? { hostname } : {}), args }
      return { path: '/v1/show', body }
    },
  }
}

/** The words of a value that may be given several times. */
const wordsOf = (value: string | true | undefined) => (typeof value === 'string' ? value.split(' ') : [])

const jsonOf = (args: Arguments): JsonRequest => (args.json ? { json: true } : {})
const confirmOf = (args: Arguments): ConfirmRequest => (args.yes ? { yes: true } : {})

const clusterCommands: readonly Command[] = [
  {
    // cts-auth judges the addresses, so that the command line and the console refuse them in the same words.
    usage: 'config ts add server <address>... [dry-run] [json]',
    shown: ['config ts add server <ip-master> <ip-replica> <ip-replica> [dry-run] [json]'],
    summary: 'Make a cluster of three telemetry servers, change its master (the first) or replace a server',
    where: 'cts-auth',
    changes: true,
    request(args) {
      const body: AddServersRequest = {
        addresses: wordsOf(args.address),
        ...(args['dry-run'] ? { dryRun: true } : {}),
        ...(args.json ? { json: true } : {}),
      }
      return { path: '/v1/servers', body }
    },
  },
  {
    usage: 'config ts show server [<ip>] [json]',
    summary: 'The servers of the cluster: roles, state, and since when',
    where: 'cts-auth',
    request(args) {
      const body: ShowServersRequest = {
        ...(typeof args.ip === 'string' ? { address: args.ip } : {}),
        ...(args.json ? { json: true } : {}),
      }
      return { path: '/v1/servers/show', body }
    },
  },
  {
    usage: 'config ts show server config [json]',
    summary: 'What was configured on each server, against what is',
    where: 'cts-auth',
    request: (args) => ({ path: '/v1/servers/config', body: jsonOf(args) }),
  },
  {
    usage: 'config ts show history [json]',
    summary: 'Every change of master: when, why, and how long no write was taken',
    where: 'cts-auth',
    request: (args) => ({ path: '/v1/history', body: jsonOf(args) }),
  },
  {
    usage: 'config ts show backups [json]',
    summary: 'The backups on this server, and what was restored last',
    where: 'cts-auth',
    request: (args) => ({ path: '/v1/backups/show', body: jsonOf(args) }),
  },
  {
    usage: 'config ts restore <file> [yes]',
    summary: 'Put a backup in the place of what is stored, while the cluster runs',
    where: 'cts-auth',
    changes: true,
    confirms: true,
    request: (args) => ({ path: '/v1/restore', body: { file: args.file, ...confirmOf(args) } }),
  },
  {
    usage: 'config ts del server [yes]',
    summary: 'Turn HA off: the master goes on alone with all data',
    where: 'cts-auth',
    changes: true,
    confirms: true,
    request: (args) => ({ path: '/v1/servers/delete', body: confirmOf(args) }),
  },
  {
    usage: 'config ts step-down',
    summary: 'Hand over from this server, if it is the master, to the next that is in step; the list stays',
    where: 'cts-auth',
    changes: true,
    request: () => ({ path: '/v1/step-down', body: {} }),
  },
  {
    usage: 'config ts reset-cluster [yes]',
    summary: "Make the Sentinels' state anew; data are never touched",
    where: 'cts-auth',
    changes: true,
    confirms: true,
    request: (args) => ({ path: '/v1/reset', body: confirmOf(args) }),
  },
]

/** The commands of the node are loaded when one is typed: they need the YAML library. */
const node = (name: keyof typeof import('./node-commands.ts')) =>
  async function run(args: Arguments, context: Context): Promise<number> {
    const commands = await import('./node-commands.ts')
    return commands[name](args, context)
  }

const stats = (name: keyof typeof import('./stats-commands.ts')) =>
  async function run(args: Arguments, context: Context): Promise<number> {
    const commands = await import('./stats-commands.ts')
    return commands[name](args, context)
  }

const nodeCommands: readonly Command[] = [
  {
    usage: 'config add server <server>... [port <1025-65535>] [vrf <vrf>]',
    shown: [
      'config add server <s1> <s2> <s3> [vrf <vrf>]',
      'config add server <ip> [port <1025-65535>] [vrf <vrf>]',
    ],
    summary: "Tell this node's agent which telemetry servers to report to",
    where: 'node',
    run: node('addServers'),
  },
  {
    usage: 'config show server [json]',
    summary: "The servers of this node's agent, and how it gets on with each",
    where: 'node',
    run: node('showServers'),
  },
  {
    usage: 'config del server',
    summary: "Set this node's agent back to a server on this node",
    where: 'node',
    run: node('deleteServers'),
  },
  {
    usage: 'config (start|stop|status|restart) agent',
    summary: "Start or stop this node's agent, or say how it is",
    where: 'node',
    run: node('controlAgent'),
  },
  {
    usage: 'config (add|del) [agent] stats',
    shown: ['config (add|del) agent stats', 'config (add|del) stats'],
    summary: "Turn the statistics of this node's interfaces on or off",
    where: 'node',
    run: stats('setStats'),
  },
  {
    usage: 'config show agent stats [json]',
    summary: "Whether this node's agent collects interface statistics",
    where: 'node',
    run: stats('showStats'),
  },
]

const ownCommands: readonly Command[] = [
  { usage: 'help [<keywords>...]', summary: 'The commands that have these words', where: 'here', run: help },
  { usage: 'help list', summary: 'Every command', where: 'here', run: helpList },
  { usage: 'help verbose', summary: 'Every command, and what it does', where: 'here', run: helpVerbose },
  {
    usage: 'completion bash',
    summary: 'The completion for bash: source <(netq completion bash)',
    where: 'here',
    async run(_args, { io }) {
      await io.out(bashScript)
      return 0
    },
  },
]
