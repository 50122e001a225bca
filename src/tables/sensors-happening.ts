import { changed, clipped, teller, told } from './changes.ts'
import type { Change, Happening } from './table.ts'

/** The filter's names of the types of sensors. */
const types: Readonly<Record<string, string>> = { temp: 'Temp', fan: 'Fan', psu: 'PSU' }
const severities: Readonly<Record<string, Happening['severity']>> = {
  ok: 'INFO',
  high: 'WARNING',
  crit: 'CRITICAL',
  absent: 'WARNING',
  bad: 'ERROR',
}

/** Sensors whose state changes, e.g. `SENSORS: leaf01 temp coretemp-temp1 (Core 0): state changed from ok to high`. */
export function sensorsHappening(change: Change): Happening | undefined {
  const row = change.after ?? change.before
  const [kind, name, was] = [told(row, 'type'), told(row, 'name'), told(change.before, 'state')]
  const type = kind === undefined || !Object.hasOwn(types, kind) ? undefined : types[kind]
  if (type === undefined || name === undefined || was === undefined) return undefined
  const description = told(row, 'description')
  const tell = teller(
    type,
    `SENSORS: ${clipped(change.hostname)} ${kind} ${name}${description ? ` (${description})` : ''}`,
    name,
  )
  if (!change.after)
    return tell(was === 'ok' ? 'WARNING' : 'INFO', `is gone; its state was ${was}`, was !== 'ok')
  const state = changed(change, 'state')
  if (!state) return undefined
  const message = told(change.after, 'message')
  const what = `state changed from ${state.from} to ${state.to}${message ? ` (${message})` : ''}`
  const severity = Object.hasOwn(severities, state.to) ? severities[state.to]! : 'ERROR'
  return tell(severity, what, state.to === 'ok')
}
