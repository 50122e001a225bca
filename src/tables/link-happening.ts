import { changed, clipped, type Tell, teller, told } from './changes.ts'
import type { Change, Happening } from './table.ts'

/** Interfaces of which an administrator expects that they stay; the others come and go with what uses them. */
const lasting = new Set(['bond', 'eth', 'swp'])
/** The names under which containers and virtual machines are plugged in: `eth` by their type, but short-lived. */
const plumbing = /^(cali|lxc|tap|veth|vnet)/

/**
 * Links that stop or begin to carry traffic. What was configured to be so is told, but is no trouble. An interface that
 * is new says nothing: the first reading of a host is all new ones.
 */
export function linkHappening(change: Change): Happening | undefined {
  const name = told(change.after ?? change.before, 'interface')
  const was = told(change.before, 'state')
  if (name === undefined || was === undefined) return undefined
  const tell = teller('Link', `LINK: ${clipped(change.hostname)} ${name}`, name)
  if (!change.after) return removed(change, name, was, tell)

  const shut = changed(change, 'adminState')?.to === 'down'
  const state = changed(change, 'state')
  if (shut && was !== 'up') return tell('INFO', 'was shut down by configuration; it was down already', true)
  if (state?.to === 'up') return tell('INFO', `state changed from ${state.from} to up`, true)
  // Between down, dormant and testing nothing changes for the traffic.
  if (state?.from !== 'up') return undefined
  const what = `state changed from up to ${state.to}`
  return told(change.after, 'adminState') === 'down'
    ? tell('INFO', `${what}: it was shut down by configuration`)
    : tell('ERROR', `${what}, though it is configured to be up`)
}

function removed({ before }: Change, name: string, was: string, tell: Tell): Happening {
  // An interface that is gone is not down any more; one that was up and should have stayed is worth a look.
  if (was !== 'up') return tell('INFO', `is gone; it was ${was}`, true)
  const missed = lasting.has(told(before, 'type') ?? '') && !plumbing.test(name)
  return tell(missed ? 'WARNING' : 'INFO', 'is gone; it was up')
}
