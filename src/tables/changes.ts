import { printable } from '../text/table.ts'
import type { Happening, Row } from './table.ts'

/** Longer than any name or state that is meant; a message stays a line that can be read. */
const LONGEST = 120

/**
 * A field as it may stand in a message: one line without control characters, at most 120 of them. Undefined if it is
 * missing or neither a text nor a number: rows come over the network, from agents of any version, or from whoever
 * can reach the store.
 */
export function told(row: Row | undefined, field: string): string | undefined {
  const value: unknown = row?.[field]
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'string' || value === '') return undefined
  return clipped(value)
}

/** A text of unknown origin as it may stand in a message. */
export function clipped(text: string): string {
  const line = printable(text)
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 3)}...` : line
}

/** A field before and after, if both are known and it changed; a row that is new or gone has changed in no field. */
export function changed(
  { before, after }: { readonly before?: Row; readonly after?: Row },
  field: string,
): { readonly from: string; readonly to: string } | undefined {
  const from = told(before, field)
  const to = told(after, field)
  return from === undefined || to === undefined || from === to ? undefined : { from, to }
}

/** Makes a happening of how bad it is and what happened; `recovers`: it ends a trouble. */
export type Tell = (severity: Happening['severity'], what: string, recovers?: boolean) => Happening

/** @param beginning what all messages of this thing begin with, e.g. `LINK: leaf01 swp5` */
export function teller(type: string, beginning: string, about: string): Tell {
  return (severity, what, recovers = false) => ({
    type,
    severity,
    message: `${beginning}: ${what}`,
    about,
    ...(recovers ? { recovers } : {}),
  })
}

/** A thing's VRF as it stands behind its name: nothing where it is the default one. */
export function inVrf(vrf: string): string {
  return vrf === 'default' ? '' : ` vrf ${vrf}`
}
