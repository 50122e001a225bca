import { changed, clipped, inVrf, teller, told } from './changes.ts'
import type { Change, Happening } from './table.ts'

/** What a status means to whoever is woken by it. */
const meanings: Readonly<Record<string, string>> = {
  warning: 'it is on its way up or down',
  error: 'it should run and does not',
  fail: 'it died, and nothing has started it again',
}

/** Services that stop or begin to be as they were configured, and those that were started anew. */
export function servicesHappening(change: Change): Happening | undefined {
  const name = told(change.after ?? change.before, 'service')
  const was = told(change.before, 'status')
  if (name === undefined || was === undefined) return undefined
  const vrf = told(change.after ?? change.before, 'vrf') ?? 'default'
  const tell = teller(
    'Services',
    `SERVICES: ${clipped(change.hostname)} ${name}${inVrf(vrf)}`,
    `${vrf} ${name}`,
  )
  if (!change.after) return tell('INFO', `is not there any more; its status was ${was}`, was !== 'ok')
  const status = changed(change, 'status')
  if (status) {
    const meaning = meanings[status.to]
    const what = `status changed from ${status.from} to ${status.to}${meaning ? `: ${meaning}` : ''}`
    if (status.to === 'ok') return tell('INFO', what, true)
    return tell(status.to === 'warning' ? 'WARNING' : 'ERROR', what)
  }
  // It may have died and been started again between two readings: without this nobody would learn of it.
  const pid = changed(change, 'pid')
  return pid && was === 'ok' ? tell('INFO', `was started anew (PID ${pid.from}, now ${pid.to})`) : undefined
}
