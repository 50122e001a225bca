import { realpathSync, statSync } from 'node:fs'
import { readIfThere, replaceFile } from '../platform/files.ts'
import type { Paths } from '../platform/paths.ts'
import { ConfigMistakes, parseFile } from './netq-yml.ts'

/** Which servers an agent reports to. A key that is absent takes its default, whatever the file said before. */
export interface AgentServers {
  readonly servers?: readonly string[]
  readonly port?: number
  readonly vrf?: string
}

const section = 'netq-agent'
const keys = ['servers', 'port', 'vrf'] as const

/**
 * Writes the agent's servers into netq.yml; everything else in it, comments too, stays. The file is replaced whole.
 * @returns whether the file had to be changed
 * @throws ConfigMistakes if the file is no valid YAML, and what the file system throws; the file is then as it was
 */
export async function writeAgentServers(paths: Paths, wanted: AgentServers): Promise<boolean> {
  const text = readIfThere(paths.netqConfig)
  const { document } = await parseFile(paths.netqConfig, text ?? '')
  const { isMap } = await import('yaml')
  const before = document.get(section)
  if (before === undefined || before === null) {
    if (wanted.servers === undefined) return false
    document.set(section, document.createNode({}))
  } else if (!isMap(before)) {
    throw new ConfigMistakes([`${paths.netqConfig}: \`${section}\` must be a section of keys`])
  }
  for (const key of keys) {
    if (wanted[key] !== undefined) document.setIn([section, key], document.createNode(wanted[key]))
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
