import { readIfThere } from '../platform/files.ts'
import type { Paths } from '../platform/paths.ts'
import type { LaneStatus } from './lane.ts'

/** What the running notifier says of itself in `run/netq/netq-notifier.json`. Times are milliseconds since the epoch. */
export interface NotifierStatus {
  readonly pid: number
  readonly updated: number
  /** Whether it is the master's, which sends. */
  readonly sends: boolean
  /** By the name of the receiver. */
  readonly lanes: Readonly<Record<string, LaneStatus>>
  /** What is wrong with netq.yml here, a line each. */
  readonly mistakes: readonly string[]
}

/** Undefined if it says nothing, or not what it should. */
export function readStatus(paths: Paths): NotifierStatus | undefined {
  try {
    return JSON.parse(readIfThere(paths.notifierStatus) ?? 'null') ?? undefined
  } catch {
    return undefined
  }
}
