import { basename } from 'node:path'
import type { Answer, Running } from '../../command.ts'
import type { Field } from '../field.ts'
import type { Fault, Struck } from './fault.ts'

/** How long a command may go on after the fault was healed before it is ended, in milliseconds: nobody waits for ever. */
const PATIENCE_MS = 20_000

/** A change that an operator types on a server, and that goes on while the next fault begins. */
function typed(
  field: Field,
  on: string,
  server: string,
  words: readonly string[],
  then?: () => Promise<void>,
): Struck {
  const command = field.netq(server, ...words)
  return {
    on,
    async heal() {
      await then?.()
      return outcome(await ended(command))
    },
  }
}

async function ended({ done, end }: Running): Promise<Answer> {
  const timer = setTimeout(end, PATIENCE_MS)
  const answer = await done
  clearTimeout(timer)
  return answer
}

/** The last line that a command said. */
function outcome({ out, err }: Answer): string {
  return `${out}${err}`.trim().split('\n').at(-1) || 'it said nothing'
}

const switchover: Fault = {
  kind: 'switchover',
  weight: 4,
  hold: [0, 5000],
  async begin(field, random) {
    const order = random.shuffled(field.members)
    const on = random.one(field.own).name
    return typed(field, `to ${order.map((ip) => field.at(ip).name).join(' ')}, typed on ${on}`, on, [
      ...['config', 'ts', 'add', 'server'],
      ...order,
    ])
  },
}

/** The spare server takes the place of another one, which is shut down first, as the page says, or not. */
const replacement: Fault = {
  kind: 'replacement',
  weight: 2,
  hold: [1000, 10_000],
  alone: 'two changes of the list at once would leave no server to go back to',
  async begin(field, random) {
    const { spare } = field
    const leaves = field.at(random.one(field.members))
    const stay = random.shuffled(field.members.filter((ip) => ip !== leaves.address))
    const order = [stay[0]!, ...random.shuffled([stay[1]!, spare.address])]
    const down = random.next() < 0.5
    if (down) await leaves.stop()
    const words = ['config', 'ts', 'add', 'server', ...order]
    const commands = [field.at(order[0]!), spare].map(({ name }) => field.netq(name, ...words))
    return {
      on: `${spare.name} for ${leaves.name}${down ? ', which is shut down' : ''}`,
      async heal() {
        const [answer] = await Promise.all(commands.map(ended))
        if (down) await leaves.start()
        return outcome(answer!)
      },
    }
  },
}

const reset: Fault = {
  kind: 'reset-cluster',
  weight: 2,
  hold: [0, 3000],
  async begin(field, random) {
    const on = random.one(field.own).name
    return typed(field, `typed on ${on}`, on, ['config', 'ts', 'reset-cluster', 'yes'])
  },
}

/** A backup that is made at the beginning takes the place of the store at the end. */
const restore: Fault = {
  kind: 'restore',
  weight: 2,
  hold: [1000, 6000],
  restores: true,
  async begin(field, random) {
    const server = field.at(random.one(field.members))
    // By what is new and not by time: clocks are set meanwhile, and what is older than this round must not come back.
    const before = await backupsOn(field, server.name)
    const backup = await ended(field.program(server, 'cts-backup'))
    const made = (await backupsOn(field, server.name)).find(
      (file) => !before.some((old) => basename(old) === basename(file)),
    )
    return {
      on: `of a backup made now on ${server.name}`,
      async heal() {
        if (made === undefined) return `no backup: ${outcome(backup)}`
        return outcome(await ended(field.netq(server.name, 'config', 'ts', 'restore', made, 'yes')))
      },
    }
  },
}

/** The backups that cts-backup made on a server. */
async function backupsOn(field: Field, on: string): Promise<string[]> {
  const { out, status } = await ended(field.netq(on, 'config', 'ts', 'show', 'backups', 'json'))
  if (status !== 0) return []
  const { backups } = JSON.parse(out) as { backups: { file: string; why: string }[] }
  return backups.filter(({ why }) => why === 'backup').map(({ file }) => file)
}

export const operatorFaults: readonly Fault[] = [switchover, replacement, reset, restore]
