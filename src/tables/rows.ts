import { order } from '../text/natural.ts'
import type { Row } from './table.ts'

/**
 * Rows in an order that does not depend on the order in which the kernel lists its objects, one a key. Of rows with
 * the same key the first stays.
 */
export function distinct(keys: readonly string[], rows: readonly Row[]): Row[] {
  const byKey = new Map<string, Row>()
  for (const row of rows) {
    const key = JSON.stringify(keys.map((field) => row[field]))
    if (!byKey.has(key)) byKey.set(key, row)
  }
  return [...byKey].sort(([a], [b]) => order(a, b)).map(([, row]) => row)
}
