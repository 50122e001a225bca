import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import type { BackupSettings } from '../config/netq-yml.ts'
import type { Secrets } from '../config/secrets.ts'
import { lockFolder } from '../platform/lock.ts'
import type { Log } from '../platform/log.ts'
import type { Paths } from '../platform/paths.ts'
import { connect } from '../store/connection.ts'
import { READER, REDIS_PORT } from '../store/names.ts'
import { amount } from '../text/amount.ts'
import { AofCopy } from './aof.ts'
import { contentsOf, contentsOfBackup, differenceOf } from './contents.ts'
import { type BackupFile, backupsOf, nameOf, type Role } from './files.ts'
import { makeRoom, outdated } from './keep.ts'
import { memoryAvailable } from './room.ts'
import { Scratch } from './scratch.ts'

/** A large store takes a while to tell the marks of its agents. Milliseconds. */
const ANSWER_MS = 10_000
/** What a copy takes in memory against the store that it is of. */
const COPY_SHARE = 1.2
/** A timer is not exact: a backup that is due within this time is due, in milliseconds. */
const SLACK_MS = 30_000

export interface BackupParts {
  readonly paths: Paths
  /** The address of this server; undefined: the loopback. */
  readonly address: string | undefined
  readonly secrets: Secrets
  readonly settings: BackupSettings
  readonly log: Log
  /** Only if the last one is as old as the interval. */
  readonly ifDue: boolean
}

/**
 * Makes one backup of the local store, which goes on meanwhile: copied, compressed, unpacked again, loaded, compared, and
 * only then given its name. Rejects with a sentence; what there was is then as it was.
 * @returns what was made, or why none was to be
 */
export async function takeBackup(parts: BackupParts): Promise<BackupFile | string> {
  const { paths, settings, log } = parts
  const earlier = backupsOf(paths)
  const age = Date.now() - (earlier[0]?.time ?? 0)
  if (parts.ifDue && age >= 0 && age < settings.intervalMs - SLACK_MS) return 'the next backup is not due yet'
  for (const folder of [paths.backup, paths.earlierBackups])
    mkdirSync(folder, { recursive: true, mode: 0o750 })
  const unlock = lockFolder(paths.backup, log, {
    what: 'the folder of the backups',
    advice: 'another cts-backup is running; look into its log',
  })
  const store = await connectStore(parts).catch((error: unknown) => {
    unlock()
    throw error
  })
  try {
    for (const name of readdirSync(paths.backup)) if (name.endsWith('.new')) rmSync(join(paths.backup, name))
    const role: Role = ((await store.call('ROLE')) as string[])[0] === 'master' ? 'master' : 'replica'
    if (settings.on === 'master' && role !== 'master')
      return 'this server is a replica, and backups are made on the master only'
    return await make(parts, store, role)
  } finally {
    store.disconnect()
    unlock()
  }
}

async function make(parts: BackupParts, store: Redis, role: Role): Promise<BackupFile> {
  const { paths, settings, secrets, log } = parts
  const began = Date.now()
  const before = await contentsOf(store, secrets.prefix)
  const aof = await AofCopy.written(store, paths.redisData)
  const name = nameOf(role, Date.now())
  const fresh = join(paths.backup, `${name}.unchecked.new`)
  const scratch = Scratch.make(paths)
  try {
    const needs = [paths.scratch, paths.backup].map((folder) => ({ folder, bytes: aof.bytes }))
    const removed = await makeRoom(needs, backupsOf(paths))
    if (removed.length > 0) log.warning(`removed the oldest ${removed.length} backups to make room`)
    await aof.writeTo(fresh)
    const how = await check(scratch, fresh, store, before)
    publish(paths, fresh, name)
    const bytes = statSync(join(paths.backup, name)).size
    for (const { path } of outdated(backupsOf(paths), settings, Date.now())) rmSync(path, { force: true })
    log.info(
      `made ${name}: ${amount(bytes, 'B')} of ${amount(aof.bytes, 'B')}, ${before.marks.size} agents, in ${((Date.now() - began) / 1000).toFixed(1)} s; ${how}`,
    )
    return { path: join(paths.backup, name), name, role, time: Date.now(), bytes }
  } catch (error) {
    rmSync(fresh, { force: true })
    throw error
  } finally {
    await aof.close()
    await scratch.close()
  }
}

/** Unpacks and loads it; where there is no memory for a second store, it is read through only. @returns what was done */
async function check(
  scratch: Scratch,
  path: string,
  store: Redis,
  before: Awaited<ReturnType<typeof contentsOf>>,
): Promise<string> {
  await scratch.unpack(path)
  const [, used = '0'] = /^used_memory:(\d+)/m.exec(await store.info('memory')) ?? []
  if (memoryAvailable() < COPY_SHARE * Number(used)) {
    await scratch.read(path)
    return 'read through, as there is no memory to load it'
  }
  const copy = await contentsOfBackup(await scratch.load(path), path)
  const difference = differenceOf(copy, before, await contentsOf(store, before.prefix))
  if (difference !== undefined)
    throw new Error(`the copy is not like the store: ${difference}. It was thrown away`)
  return 'loaded and compared'
}

/** The new one takes the place of the newest, which goes to the earlier ones. */
function publish(paths: Paths, fresh: string, name: string): void {
  const before = backupsOf(paths).filter(({ path }) => path.startsWith(join(paths.backup, '/')))
  renameSync(fresh, join(paths.backup, name))
  for (const file of before) move(file.path, join(paths.earlierBackups, file.name))
}

function move(from: string, to: string): void {
  if (from === to) return
  try {
    renameSync(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
    copyFileSync(from, `${to}.new`)
    renameSync(`${to}.new`, to)
    rmSync(from)
  }
}

function connectStore({ address, secrets }: BackupParts): Promise<Redis> {
  return connect({
    host: address ?? '127.0.0.1',
    port: REDIS_PORT,
    login: { username: READER, password: secrets.reader },
    ...(address === undefined ? {} : { localAddress: address }),
    commandMs: ANSWER_MS,
  })
}
