import { existsSync } from 'node:fs'

/** Whether systemd-timesyncd has synchronised this node's clock; undefined where it does not run, so nobody says. */
export function clockIsSynchronised(): boolean | undefined {
  if (existsSync('/run/systemd/timesync/synchronized')) return true
  return existsSync('/run/systemd/timesync') ? false : undefined
}
