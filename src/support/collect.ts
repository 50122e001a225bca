import { execFile } from 'node:child_process'
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Secrets } from '../config/secrets.ts'
import { ask } from '../platform/ask.ts'
import { sentenceOf } from '../platform/log.ts'
import type { Paths } from '../platform/paths.ts'
import { makeServices, type ServiceName } from '../platform/services.ts'
import { connect } from '../store/connection.ts'
import { ADMIN, MASTER_NAME, READER, REDIS_PORT, SENTINEL_PORT } from '../store/names.ts'
import { VERSION } from '../version.ts'

/** Of a log its last part, in bytes: days of a quiet server, hours of a busy one. */
const LOG_BYTES = 2 << 20
/** How long anything that is asked may take, in milliseconds. */
const ANSWER_MS = 10_000

/** A file of the archive: where it is in there, and its text; a text that could not be had says why. */
export interface Piece {
  readonly path: string
  readonly text: string
}

export interface Source {
  readonly paths: Paths
  readonly address: string | undefined
  readonly secrets: Secrets | undefined
}

const services: readonly ServiceName[] = [
  ...(['redis', 'sentinel', 'cts-auth', 'netqd', 'netq-notifier'] as const),
  ...(['netq-influxdb', 'netq-stats-pushd', 'netq-agent'] as const),
]

/** All that a support case needs of this server. Nothing of it rejects: what cannot be had is said in its place. */
export async function collect(source: Source): Promise<Piece[]> {
  const { paths } = source
  return Promise.all([
    ...configurationOf(paths).map((path) =>
      piece(`configuration/${below(paths, path)}`, () => readFileSync(path, 'utf8')),
    ),
    ...logsOf(paths).map((path) => piece(`logs/${below(paths, path)}`, () => endOf(path))),
    ...asked(source),
    piece('services.txt', () => stateOf(paths)),
    piece('versions.txt', versions),
    piece('files.txt', () =>
      run('ls', '-lR', ...[paths.redisData, paths.archive, paths.backup, paths.earlierBackups]),
    ),
    piece('disk.txt', () =>
      run('df', '-h', '-i', paths.root).then(async (inodes) => (await run('df', '-h')) + inodes),
    ),
    piece('memory.txt', () => readFileSync('/proc/meminfo', 'utf8')),
    piece('load.txt', () => run('uptime')),
    piece('addresses.txt', () => run('ip', 'address')),
    piece('routes.txt', () => run('ip', 'route')),
    piece('sockets.txt', () => run('ss', '-tlnp')),
    piece('units.txt', () => run('systemctl', 'status', '--no-pager', '--lines=20', 'netq*', 'cts*')),
  ])
}

/** What the daemons, Redis and the Sentinel say. */
function asked({ paths, address, secrets }: Source): Promise<Piece>[] {
  const cts = (path: string, body: object = {}) =>
    ask<unknown>(paths.ctsAuthSocket, path, body, ANSWER_MS).then(json)
  const redis = (port: number, username: string, password: string | undefined, ...words: string[]) =>
    askRedis(address, port, { username, password: password ?? '' }, words)
  return [
    piece('cluster/servers.json', () => cts('/v1/servers/show', { json: true })),
    piece('cluster/config.json', () => cts('/v1/servers/config', { json: true })),
    piece('cluster/history.json', () => cts('/v1/history', { json: true })),
    piece('cluster/view.json', () => cts('/v1/view')),
    piece('cluster/backups.json', () => cts('/v1/backups/show', { json: true })),
    piece('redis/info.txt', () => redis(REDIS_PORT, READER, secrets?.reader, 'INFO', 'everything')),
    piece('redis/role.txt', () => redis(REDIS_PORT, READER, secrets?.reader, 'ROLE')),
    piece('sentinel/info.txt', () => redis(SENTINEL_PORT, ADMIN, secrets?.admin, 'INFO')),
    ...['MASTER', 'REPLICAS', 'SENTINELS', 'CKQUORUM'].map((what) =>
      piece(`sentinel/${what.toLowerCase()}.txt`, () =>
        redis(SENTINEL_PORT, ADMIN, secrets?.admin, 'SENTINEL', what, MASTER_NAME),
      ),
    ),
  ]
}

async function askRedis(
  address: string | undefined,
  port: number,
  login: { username: string; password: string },
  [command = '', ...args]: string[],
): Promise<string> {
  const own = address === undefined ? {} : { localAddress: address }
  const redis = await connect({ host: address ?? '127.0.0.1', port, login, ...own, commandMs: ANSWER_MS })
  try {
    const answer = await redis.call(command, ...args)
    return typeof answer === 'string' ? answer : json(answer)
  } finally {
    redis.disconnect()
  }
}

async function piece(path: string, text: () => string | Promise<string>): Promise<Piece> {
  try {
    return { path, text: await text() }
  } catch (error) {
    return { path, text: `It could not be had: ${sentenceOf(error)}\n` }
  }
}

/** The files with the settings; those with nothing but secrets (the key of the cluster, the identity) are left out. */
function configurationOf(paths: Paths): string[] {
  const more = namesIn(paths.netqConfigFolder).map((name) => join(paths.netqConfigFolder, name))
  return [
    paths.netqConfig,
    ...more,
    paths.clusterState,
    paths.redisConfig,
    paths.sentinelConfig,
    paths.influxConfig,
  ]
}

function logsOf(paths: Paths): string[] {
  const folders = [paths.ctsLogs, dirname(paths.netqdLog)]
  // The one before, too: a rotation may have been a minute ago.
  const wanted = /^(cts|netq)[\w-]*\.log(\.1)?$/
  return folders.flatMap((folder) =>
    namesIn(folder)
      .filter((name) => wanted.test(name))
      .map((name) => join(folder, name)),
  )
}

function endOf(path: string): string {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const from = Math.max(0, size - LOG_BYTES)
    const bytes = Buffer.alloc(size - from)
    readSync(file, bytes, 0, bytes.length, from)
    const text = bytes.toString('utf8')
    return from === 0
      ? text
      : `(the ${from} bytes before are left out)\n${text.slice(text.indexOf('\n') + 1)}`
  } finally {
    closeSync(file)
  }
}

async function stateOf(paths: Paths): Promise<string> {
  const made = makeServices(paths)
  const lines = services.map(async (name) => {
    const running = await made.running(name).catch(() => undefined)
    return `${name.padEnd(18)}${running ? `runs, pid ${running.pid}` : 'does not run'}\n`
  })
  return (await Promise.all(lines)).join('')
}

async function versions(): Promise<string> {
  const programs = ['redis-server --version', 'influxd version', 'uname -a', 'cat /etc/os-release']
  const said = programs.map((line) => {
    const [command = '', ...args] = line.split(' ')
    return run(command, ...args).catch((error: unknown) => `${line}: ${sentenceOf(error)}\n`)
  })
  return `netq ${VERSION}\nnode ${process.version}\n${(await Promise.all(said)).join('')}`
}

/** What a program prints, also where it fails; rejects if there is no such program. */
function run(command: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { timeout: ANSWER_MS, maxBuffer: LOG_BYTES }, (error, out, err) => {
      if ((error as NodeJS.ErrnoException | null)?.code === 'ENOENT')
        reject(new Error(`there is no ${command} here`))
      else resolve(out + err)
    })
  })
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`
const below = (paths: Paths, path: string) =>
  path.startsWith(paths.root) ? path.slice(paths.root.length).replace(/^\//, '') : basename(path)
