import type { Reports } from './picture.ts'
import type { Decision, Proposal, View } from './types.ts'

/** A backup that is staged and that nobody goes on with is dropped after this time, in milliseconds: cts-auth may be starting anew. */
const ORPHAN_MS = 5000

/**
 * A restore, as the master carries it out: the data are staged in the store by then, by the server where it was asked for.
 * Agents are held back, every server that follows puts what it holds aside, and then one call swaps what is staged with what
 * is there. Until that call everything is as it was; after it, every copy has the new state in the order of replication.
 */
export function decideRestore(
  view: View,
  members: Reports,
  { id }: Proposal,
  name: string,
  refuse: (sentence: string) => Decision,
): Decision | { wait: string } {
  const { staged } = view.mine.redis!
  if (staged?.id !== id || !staged.ready) {
    return refuse(
      'What was read of the backup is not in the store any more, because the master was lost meanwhile. Nothing was changed: run the command again',
    )
  }
  if (!staged.fenced) return { action: { do: 'fence', id }, why: `${name} is to be restored: agents wait` }
  const present = [...members.values()].filter(({ ip, redis }) => ip === view.self || redis?.linkUp)
  const failed = present.find(({ aside }) => aside?.id === id && aside.problem !== undefined)
  if (failed) {
    return refuse(
      `${failed.ip} could not put aside what it holds: ${failed.aside!.problem}. Nothing was changed`,
    )
  }
  const busy = present.filter(({ aside }) => aside?.id !== id || !aside.done).map(({ ip }) => ip)
  if (busy.length > 0) return { wait: `waiting until ${busy.join(' and ')} put aside what they hold` }
  return { action: { do: 'restore', id, name }, why: `${name} takes the place of what is stored` }
}

/** The same on a single server, which is asked for it here; `why` is what it says where nothing is to be restored. */
export function restoreAlone(view: View, why: string): Decision {
  const { mine, self } = view
  const marks: Decision = { action: { do: 'mark', roles: { [self]: 'master' } }, why }
  const members = new Map([[self, mine]])
  const first = putAside(view) ?? dropStaged(view, members)
  if (first) return first
  const { proposal } = mine
  if (proposal?.restore === undefined) return marks
  if (proposal.id === mine.redis!.restored?.id || proposal.id === mine.refusal?.id) return marks
  const refuse = (sentence: string): Decision => ({
    action: { do: 'refuse', id: proposal.id, sentence },
    why: sentence,
  })
  const next = decideRestore(view, members, proposal, proposal.restore, refuse)
  return 'action' in next ? next : { ...marks, why: next.wait }
}

/** What this server holds is put aside as soon as agents wait for that: nothing is acknowledged that is not in it. */
export function putAside({ mine }: View): Decision | undefined {
  const staged = mine.redis?.staged
  if (!staged?.fenced || mine.aside?.id === staged.id) return undefined
  return {
    action: { do: 'put-aside', id: staged.id },
    why: 'a backup is being restored: what this server holds is put aside first',
  }
}

/** Who staged it has died, or it was refused: all is as before, and agents go on. */
export function dropStaged({ mine, stagedOrphanMs = 0 }: View, members: Reports): Decision | undefined {
  const id = mine.redis?.staged?.id
  if (id === undefined) return undefined
  const refused = [...members.values()].some(({ refusal }) => refusal?.id === id)
  if (!refused && stagedOrphanMs < ORPHAN_MS) return undefined
  return { action: { do: 'drop-restore', id }, why: 'a restore has ended halfway: all stays as it was' }
}
