import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import { readIfThere } from '../platform/files.ts'
import type { Level } from '../platform/log.ts'
import type { Paths } from '../platform/paths.ts'
import { parseSpan } from '../text/duration.ts'
import { isNotifierSection, wholeFile } from './sections.ts'
import { whatIsWrong } from './servers.ts'
import { ConfigMistakes, mistakeAt, mistakesOf, type ParsedFile, parseFile, section } from './yml-file.ts'

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
    /** Whether it samples the counters of its interfaces. */
    readonly stats: boolean
  }
  /** Of the interface statistics on a telemetry server. */
  readonly stats: {
    /** How long a server's InfluxDB keeps them, in days. */
    readonly retentionDays: number
  }
  readonly backup: BackupSettings
}

/** When cts-backup makes a backup on a telemetry server, and how long it keeps them. */
export interface BackupSettings {
  readonly intervalMs: number
  /** On every server, or on the master only. */
  readonly on: 'all' | 'master'
  /** How many are kept at most, and for how long, in milliseconds. */
  readonly keep: number
  readonly maxAgeMs: number
}

/** As often as the unit's timer looks, in milliseconds. */
const LEAST_INTERVAL_MS = 5 * 60_000

/**
 * Reads /etc/netq/netq.yml and then /etc/netq/config.d/*.yml in the order of their names: a key of a later file takes
 * the place of the same key of an earlier one. Files that are not there are not missed. The notifier's sections are not
 * looked into (notifier/config.ts does), but may stand in netq.yml only: it is the one that the servers share.
 * @throws ConfigMistakes with the mistakes of all files together; what the file system throws, if one cannot be read
 */
export async function readNetqConfig(paths: Paths): Promise<NetqConfig> {
  const { z } = await import('zod')
  const file = schemaOf(z)
  const mistakes: string[] = []
  const merged: Record<string, unknown> = {}
  const stats: Record<string, unknown> = {}
  const backup: Record<string, unknown> = {}
  for (const path of configFiles(paths)) {
    const text = readIfThere(path)
    if (text === undefined) continue
    const parsed = await parseFile(path, text).catch((error: unknown) => {
      if (!(error instanceof ConfigMistakes)) throw error
      mistakes.push(...error.mistakes)
    })
    if (!parsed) continue
    const result = file.safeParse(parsed.value)
    if (result.success) {
      Object.assign(merged, result.data['netq-agent'])
      Object.assign(stats, result.data['netq-stats'])
      Object.assign(backup, result.data['netq-backup'])
    } else mistakes.push(...result.error.issues.flatMap((issue) => mistakesOf(issue, parsed)))
    if (path !== paths.netqConfig) mistakes.push(...misplaced(parsed, paths.netqConfig))
  }
  if (mistakes.length > 0) throw new ConfigMistakes(mistakes)
  const agent = merged as AgentSection
  return {
    agent: {
      servers: agent.servers ?? ['127.0.0.1'],
      port: agent.port ?? 6379,
      vrf: agent.vrf ?? 'default',
      heartbeatSeconds: agent.heartbeat_seconds ?? 30,
      logLevel: agent.log_level ?? 'info',
      ...(agent.hostname === undefined ? {} : { hostname: agent.hostname }),
      stats: agent.stats ?? false,
    },
    stats: { retentionDays: daysOf((stats as StatsSection).retention ?? '30d') },
    backup: backupOf(backup as BackupSection),
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

function misplaced(file: ParsedFile, netqConfig: string): string[] {
  return Object.keys(file.value)
    .filter(isNotifierSection)
    .map((key) => mistakeAt(file, [key], `\`${key}\` is read from ${netqConfig} only: move it there`))
}

const daysOf = (text: string) => Number.parseInt(text, 10) * (text.endsWith('w') ? 7 : 1)

function backupOf({ interval = '5m', on = 'all', keep = 48, max_age = '7d' }: BackupSection): BackupSettings {
  return { intervalMs: parseSpan(interval)!, on, keep, maxAgeMs: parseSpan(max_age)! }
}

type BackupSection = NonNullable<z.infer<ReturnType<typeof schemaOf>>['netq-backup']>
type StatsSection = NonNullable<z.infer<ReturnType<typeof schemaOf>>['netq-stats']>
type AgentSection = NonNullable<z.infer<ReturnType<typeof schemaOf>>['netq-agent']>

function schemaOf(zod: typeof z) {
  const { string, array, number, literal, boolean } = zod
  const levels = ['debug', 'info', 'warning', 'error'] as const satisfies Level[]
  const agent = section(
    zod,
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
      stats: boolean('`stats` must be true or false'),
    },
    '`netq-agent` must be a section of keys',
  ).partial()
  const kept = '`retention` must be a time from 1d to 9999d or 1w to 999w, such as 30d'
  const stats = section(
    zod,
    { retention: string(kept).regex(/^([1-9]\d{0,3}d|[1-9]\d{0,2}w)$/, kept) },
    '`netq-stats` must be a section of keys',
  ).partial()
  return wholeFile(zod, {
    'netq-agent': agent.nullish(),
    'netq-stats': stats.nullish(),
    'netq-backup': backupSchema(zod).nullish(),
  })
}

function backupSchema(zod: typeof z) {
  const { string, number, literal } = zod
  const interval =
    '`interval` must be a time of 5m or more, such as 1h: a backup is a copy of the whole store, and cts-backup looks every 5 minutes'
  const age = '`max_age` must be a time such as 12h, 7d or 4w'
  const spanOf = (sentence: string, least: number) =>
    string(sentence).refine((text) => (parseSpan(text) ?? 0) >= least, sentence)
  return section(
    zod,
    {
      interval: spanOf(interval, LEAST_INTERVAL_MS),
      on: literal(['all', 'master'], '`on` must be all or master'),
      keep: whole(number, 'keep', 1, 10_000),
      max_age: spanOf(age, 1),
    },
    '`netq-backup` must be a section of keys',
  ).partial()
}

/** What a VRF may be called: the kernel's rule for the names of interfaces. */
export const vrfName = /^[^\s/:]{1,15}$/

function whole(number: typeof z.number, key: string, low: number, high: number) {
  const sentence = `\`${key}\` must be a whole number from ${low} to ${high}`
  return number(sentence).int(sentence).min(low, sentence).max(high, sentence)
}
