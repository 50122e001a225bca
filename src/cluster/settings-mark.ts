import { createHash } from 'node:crypto'
import { readIfThere } from '../platform/files.ts'

/** Where the units of an installed machine are. */
const UNITS = '/usr/lib/systemd/system'
/** The line of a configuration that says of which settings it is. Redis keeps it when it writes the file anew. */
const LINE = /^# settings [0-9a-f]+$/m

/**
 * What tells the settings of two versions of this software from each other.
 * @param template what this version writes for no server in particular
 * @param unit the systemd unit with which it runs on an installed machine; what is said in comments does not count
 */
export function markOf(template: string, unit: string): string {
  const commands = readIfThere(`${UNITS}/${unit}`)?.replace(/^#.*\n/gm, '') ?? ''
  const digest = createHash('sha256').update(`${template}\n${commands}`).digest('hex')
  return `# settings ${digest.slice(0, 16)}`
}

/** Whether a configuration was written by another version with other settings; one that is gone says nothing. */
export function isOfOthers(path: string, mark: string): boolean {
  const text = readIfThere(path)
  return text !== undefined && LINE.exec(text)?.[0] !== mark
}
