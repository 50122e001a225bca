import { realpathSync, statSync } from 'node:fs'
import { readIfThere, replaceFile } from '../platform/files.ts'
import type { Paths } from '../platform/paths.ts'
import { ConfigMistakes, parseFile } from './yml-file.ts'

/** Which servers an agent reports to. A key that is absent takes its default, whatever the file said before. */
export interface AgentServers {
  readonly servers?: readonly string[]
  readonly port?: number
  readonly vrf?: string
}

const section = 'netq-agent'

/** Writes which servers the agent reports to (see writeAgentKeys). */
export function writeAgentServers(paths: Paths, { servers, port, vrf }: AgentServers): Promise<boolean> {
  return writeAgentKeys(paths, { servers, port, vrf })
}

/** Writes whether the agent samples the counters of its interfaces (see writeAgentKeys). */
export function writeAgentStats(paths: Paths, on: boolean): Promise<boolean> {
  return writeAgentKeys(paths, { stats: on ? true : undefined })
}

/**
 * Writes these keys of the agent into netq.yml, or takes them out of it; everything else in it, comments too, stays. The
 * file is replaced whole.
 * @returns whether the file had to be changed
 * @throws ConfigMistakes if the file is no valid YAML, and what the file system throws; the file is then as it was
 */
async function writeAgentKeys(paths: Paths, wanted: Readonly<Record<string, unknown>>): Promise<boolean> {
  const text = readIfThere(paths.netqConfig)
  const { document } = await parseFile(paths.netqConfig, text ?? '')
  const { isMap } = await import('yaml')
  const before = document.get(section)
  if (before === undefined || before === null) {
    if (Object.values(wanted).every((value) => value === undefined)) return false
    document.set(section, document.createNode({}))
  } else if (!isMap(before)) {
    throw new ConfigMistakes([`${paths.netqConfig}: \`${section}\` must be a section of keys`])
  }
  for (const [key, value] of Object.entries(wanted)) {
    if (value !== undefined) document.setIn([section, key], document.createNode(value))
    else document.deleteIn([section, key])
  }
  const fresh = document.toString({ lineWidth: 0 })
  if (fresh === text) return false
  if (text === undefined) replaceFile(paths.netqConfig, fresh)
  else {
    const target = realpathSync(paths.netqConfig)
    replaceFile(target, fresh, statSync(target).mode & 0o777)
  }
  return true
}
