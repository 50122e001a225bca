import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Document, LineCounter, Node } from 'yaml'
import type { z } from 'zod'
import { readIfThere } from '../platform/files.ts'
import type { Level } from '../platform/log.ts'
import type { Paths } from '../platform/paths.ts'
import { whatIsWrong } from './servers.ts'

/** netq.yml and config.d/*.yml, merged, with defaults. */
export interface NetqConfig {
  readonly agent: {
    /** One IPv4 address, or the three of a cluster. */
    readonly servers: readonly string[]
    readonly port: number
    readonly vrf: string
    readonly heartbeatSeconds: number
    readonly logLevel: Level
    /** What this node calls itself; absent: the system's host name. */
    readonly hostname?: string
  }
}

/** All that is wrong with the configuration; one line a mistake, each with its file and line. */
export class ConfigMistakes extends Error {
  readonly mistakes: readonly string[]

  constructor(mistakes: readonly string[]) {
    super(mistakes.join('\n'))
    this.mistakes = mistakes
  }
}

/** A configuration file, parsed and not yet validated. */
export interface ParsedFile {
  readonly document: Document.Parsed
  readonly lines: LineCounter
}

/**
 * Reads /etc/netq/netq.yml and then /etc/netq/config.d/*.yml in the order of their names: a key of a later file takes
 * the place of the same key of an earlier one. Files that are not there are not missed.
 * @throws ConfigMistakes with the mistakes of all files together; what the file system throws, if one cannot be read
 */
export async function readNetqConfig(paths: Paths): Promise<NetqConfig> {
  const { z } = await import('zod')
  const file = schemaOf(z)
  const mistakes: string[] = []
  const merged: Record<string, unknown> = {}
  for (const path of configFiles(paths)) {
    const text = readIfThere(path)
    if (text === undefined) continue
    const parsed = await parseFile(path, text).catch((error: unknown) => {
      if (!(error instanceof ConfigMistakes)) throw error
      mistakes.push(...error.mistakes)
    })
    if (!parsed) continue
    const result = file.safeParse(parsed.document.toJS() ?? {})
    if (result.success) Object.assign(merged, result.data['netq-agent'])
    else mistakes.push(...result.error.issues.flatMap((issue) => mistakesOf(issue, path, parsed)))
  }
  if (mistakes.length > 0) throw new ConfigMistakes(mistakes)
  const section = merged as AgentSection
  return {
    agent: {
      servers: section.servers ?? ['127.0.0.1'],
      port: section.port ?? 6379,
      vrf: section.vrf ?? 'default',
      heartbeatSeconds: section.heartbeat_seconds ?? 30,
      logLevel: section.log_level ?? 'info',
      ...(section.hostname === undefined ? {} : { hostname: section.hostname }),
    },
  }
}

/** The files that are read, in order; the last one that has a key decides. */
export function configFiles(paths: Paths): string[] {
  return [
    paths.netqConfig,
    ...namesIn(paths.netqConfigFolder).map((name) => join(paths.netqConfigFolder, name)),
  ]
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.yml') && !name.startsWith('.'))
      .sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** @throws ConfigMistakes if the text is no YAML, or not one map of sections */
export async function parseFile(path: string, text: string): Promise<ParsedFile> {
  const { isMap, LineCounter, parseDocument } = await import('yaml')
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    throw new ConfigMistakes(
      document.errors.map((error) => at(path, lines, error.pos[0], `not valid YAML (${error.message})`)),
    )
  }
  if (document.contents !== null && !isMap(document.contents)) {
    throw new ConfigMistakes([
      at(path, lines, document.range[0], 'a section such as `netq-agent:` is expected'),
    ])
  }
  return { document, lines }
}

type AgentSection = NonNullable<z.infer<ReturnType<typeof schemaOf>>['netq-agent']>

function schemaOf({ strictObject, string, array, number, literal }: typeof z) {
  const levels = ['debug', 'info', 'warning', 'error'] as const satisfies Level[]
  const agent = strictObject(
    {
      servers: array(string(), '`servers` must be a list of IPv4 addresses').superRefine(
        (servers, context) => {
          const wrong = whatIsWrong(servers, 'agent')
          if (wrong) context.addIssue({ code: 'custom', message: `\`servers\`: ${wrong}` })
        },
      ),
      port: whole(number, 'port', 1025, 65535),
      vrf: string('`vrf` must be the name of a VRF').regex(vrfName, '`vrf` must be the name of a VRF'),
      heartbeat_seconds: whole(number, 'heartbeat_seconds', 1, 300),
      log_level: literal(levels, `\`log_level\` must be one of ${levels.join(', ')}`),
      hostname: string('`hostname` must be a name').regex(
        /^[a-z\d][\w.-]{0,252}$/i,
        '`hostname` must be letters, digits, dots, dashes and underscores',
      ),
    },
    '`netq-agent` must be a section of keys',
  ).partial()
  return strictObject({ 'netq-agent': agent.nullish() })
}

/** What a VRF may be called: the kernel's rule for the names of interfaces. */
export const vrfName = /^[^\s/:]{1,15}$/

function whole(number: typeof z.number, key: string, low: number, high: number) {
  const sentence = `\`${key}\` must be a whole number from ${low} to ${high}`
  return number(sentence).int(sentence).min(low, sentence).max(high, sentence)
}

function mistakesOf(issue: z.core.$ZodIssue, path: string, { document, lines }: ParsedFile): string[] {
  if (issue.code === 'unrecognized_keys') {
    const known = issue.path.length === 0 ? 'netq-agent' : agentKeys
    return issue.keys.map((key) => {
      const offset = keyOffset(document, [...issue.path, key])
      return at(path, lines, offset, `the key \`${key}\` is not known (known: ${known})`)
    })
  }
  return [at(path, lines, keyOffset(document, issue.path), issue.message)]
}

const agentKeys = 'servers, port, vrf, heartbeat_seconds, log_level, hostname'

/** Where a key stands; for an entry of a list, where the entry stands. */
function keyOffset(document: Document.Parsed, path: readonly PropertyKey[]): number {
  let node = document.contents as Node | null
  let offset = node?.range?.[0] ?? 0
  for (const key of path) {
    const collection = node as {
      items?: { key?: { value?: unknown; range?: number[] }; value?: unknown }[]
    } | null
    const items = collection?.items ?? []
    if (typeof key === 'number') {
      node = (items[key] as unknown as Node) ?? null
      offset = node?.range?.[0] ?? offset
      continue
    }
    const pair = items.find((item) => String(item.key?.value) === key)
    offset = pair?.key?.range?.[0] ?? offset
    node = (pair?.value ?? null) as Node | null
  }
  return offset
}

function at(path: string, lines: LineCounter, offset: number, what: string): string {
  return `${path}, line ${Math.max(1, lines.linePos(offset).line)}: ${what}`
}
