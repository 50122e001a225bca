import { isNotifierSection, type NotifierSection } from '../config/sections.ts'
import { ConfigMistakes, mistakeAt, mistakesOf, type ParsedFile, parseFile } from '../config/yml-file.ts'
import type { Level } from '../platform/log.ts'
import type { Integration } from './channels/index.ts'
import type { SyslogServer } from './channels/syslog/server.ts'
import type { NotifierFile, Rule } from './schema.ts'

export type { Rule } from './schema.ts'

/** The notifier's sections of netq.yml, validated and with their defaults. Plain data: it can be sent as JSON. */
export interface NotifierSettings {
  readonly logLevel: Level
  readonly syslogServer?: SyslogServer
  readonly integrations: readonly Integration[]
  /** In the order in which they are asked; without any in the file: `default`, which sends everything to ALL. */
  readonly filters: readonly Filter[]
  readonly silences: readonly Silence[]
}

export interface Filter {
  readonly name: string
  readonly rule: Rule
  /** Names of integrations, which get the event besides syslog; ALL of them; or None: not even syslog. */
  readonly output: readonly string[] | 'ALL' | 'None'
  /** Whether an event that matches is not shown to the filters after this one. */
  readonly terminateOnMatch: boolean
}

/** Events that match the rule, and happen before `until`, go nowhere; they are still recorded. */
interface Silence {
  readonly name: string
  readonly rule: Rule
  /** Milliseconds since the epoch. */
  readonly until: number
}

/** The notifier's sections as the file has them: what is kept in the store, and written into the files of all servers. */
export type NotifierSections = { readonly [Name in NotifierSection]?: unknown }

/**
 * Reads the notifier's sections of the text of a netq.yml.
 * @param path what the mistakes name
 * @throws ConfigMistakes with all mistakes, in the order of their lines
 */
export async function readNotifierSections(
  text: string,
  path: string,
): Promise<{ sections: NotifierSections; settings: NotifierSettings }> {
  const [{ z }, { fileSchema }] = await Promise.all([import('zod'), import('./schema.ts')])
  const file = await parseFile(path, text)
  const result = fileSchema(z).safeParse(file.value)
  const mistakes = [
    ...(result.error?.issues ?? []).flatMap((issue) => mistakesOf(issue, file)),
    ...wrongNames(file),
  ]
  if (!result.success || mistakes.length > 0) throw new ConfigMistakes(inOrder(mistakes))
  const sections = Object.entries(file.value).filter(([name]) => isNotifierSection(name))
  return { sections: Object.fromEntries(sections), settings: settingsOf(result.data) }
}

/**
 * The text of a netq.yml with these sections in the place of its own; a section that is absent here is taken out. All
 * else stays, with its comments; so do the comments in a section that says the same already.
 * @throws ConfigMistakes if the text is no YAML
 */
export async function withNotifierSections(text: string, sections: NotifierSections): Promise<string> {
  const [{ document, value }, { isDeepStrictEqual }] = await Promise.all([
    parseFile('netq.yml', text),
    import('node:util'),
  ])
  const names = [...Object.keys(value), ...Object.keys(sections)].filter(isNotifierSection)
  let changed = false
  for (const name of new Set(names)) {
    const wanted = sections[name]
    if (name in value && name in sections && isDeepStrictEqual(value[name], wanted)) continue
    changed = true
    if (wanted === undefined) document.delete(name)
    else document.set(name, document.createNode(wanted))
  }
  // An empty rule is written as operators know it, `rule:`.
  return changed ? document.toString({ lineWidth: 0, nullStr: '' }) : text
}

function settingsOf(file: NotifierFile): NotifierSettings {
  const notifier = file['netq-notifier']
  const filters = file['notifier-filters'] ?? []
  return {
    logLevel: notifier?.log_level ?? 'info',
    ...(notifier?.syslog_server ? { syslogServer: notifier.syslog_server } : {}),
    integrations: file['notifier-integrations'] ?? [],
    filters: filters.length > 0 ? filters.map(filterOf) : [everything],
    silences: (file['notifier-silences'] ?? []).map(({ name, rule, until }) => ({
      name,
      rule: (rule ?? {}) as Rule,
      until,
    })),
  }
}

const everything: Filter = { name: 'default', rule: {}, output: 'ALL', terminateOnMatch: true }

function filterOf(entry: NonNullable<NotifierFile['notifier-filters']>[number]): Filter {
  const { name, rule, output, terminate_on_match: terminates } = entry
  const word = output?.length === 1 ? wordOf(output[0]) : undefined
  return {
    name,
    rule: (rule ?? {}) as Rule,
    output: word ?? output ?? [],
    terminateOnMatch: terminates ?? true,
  }
}

/** `ALL` and `None` are words, in capitals or not. */
function wordOf(output: unknown): 'ALL' | 'None' | undefined {
  const lower = String(output).toLowerCase()
  return lower === 'all' ? 'ALL' : lower === 'none' ? 'None' : undefined
}

/** Names that two entries have, and outputs that are nothing's name. Looks at raw values: others may be wrong as well. */
function wrongNames(file: ParsedFile): string[] {
  const mistakes: string[] = []
  const integrations = new Set<unknown>()
  const kinds = {
    'notifier-integrations': 'integration',
    'notifier-filters': 'filter',
    'notifier-silences': 'silence',
  }
  for (const [section, kind] of Object.entries(kinds)) {
    const seen = section === 'notifier-integrations' ? integrations : new Set<unknown>()
    for (const [index, { name }] of entriesOf(file, section)) {
      if (typeof name !== 'string') continue
      if (seen.has(name)) {
        mistakes.push(
          mistakeAt(file, [section, index, 'name'], `there are two ${kind}s with the name ${name}`),
        )
      }
      seen.add(name)
    }
  }
  for (const [index, { output }] of entriesOf(file, 'notifier-filters')) {
    if (!Array.isArray(output)) continue
    for (const [place, name] of output.entries()) {
      const problem = outputProblem(name, output, integrations)
      if (problem) mistakes.push(mistakeAt(file, ['notifier-filters', index, 'output', place], problem))
    }
  }
  return mistakes
}

function outputProblem(name: unknown, output: unknown[], integrations: Set<unknown>): string | undefined {
  if (typeof name !== 'string') return undefined
  if (wordOf(name))
    return output.length === 1 ? undefined : `\`output\` has ${name} and others: it stands alone`
  if (integrations.has(name) || name === 'syslog') return undefined
  const known = integrations.size === 0 ? 'there is none' : `there are ${[...integrations].join(', ')}`
  return `\`output\` names the integration ${name}, which is not there (${known})`
}

function entriesOf({ value }: ParsedFile, section: string): [number, Record<string, unknown>][] {
  const list = value[section]
  if (!Array.isArray(list)) return []
  return [...list.entries()].filter(([, entry]) => entry !== null && typeof entry === 'object')
}

function inOrder(mistakes: readonly string[]): string[] {
  const lineOf = (mistake: string) => Number(/, line (\d+): /.exec(mistake)?.[1])
  return mistakes.toSorted((a, b) => lineOf(a) - lineOf(b))
}
