import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AofCopy } from '../backup/aof.ts'
import { nameOf } from '../backup/files.ts'
import { makeRoom } from '../backup/keep.ts'
import type { Secrets } from '../config/secrets.ts'
import { type Log, sentenceOf } from '../platform/log.ts'
import type { Paths } from '../platform/paths.ts'
import { connect } from '../store/connection.ts'
import { ADMIN, REDIS_PORT } from '../store/names.ts'
import { newPlace } from './archive.ts'
import type { LocalConnections } from './local.ts'
import type { Action, Aside } from './types.ts'

/** How long the swap may take, in milliseconds: 50,000 keys take half a second. */
const SWAP_MS = 30_000

/** Carries out the steps of a restore that restoring.ts decides on. */
export class Restores {
  private readonly paths: Paths
  private readonly address: string | undefined
  private readonly local: LocalConnections
  private readonly log: Log
  /** What became of the last copy that was put aside; undefined: there was none. */
  aside: Aside | undefined

  constructor(parts: { paths: Paths; address: string | undefined; local: LocalConnections; log: Log }) {
    this.paths = parts.paths
    this.address = parts.address
    this.local = parts.local
    this.log = parts.log
  }

  async act(
    action: Extract<Action, { do: 'put-aside' | 'fence' | 'drop-restore' | 'restore' }>,
    secrets: Secrets,
  ): Promise<void> {
    switch (action.do) {
      case 'put-aside':
        this.putAside(action.id)
        return
      case 'fence':
        return this.step(secrets, 'fence', action.id)
      case 'drop-restore':
        return this.step(secrets, 'drop', action.id)
      case 'restore':
        return this.step(secrets, 'swap', action.id, action.name)
    }
  }

  /** The control loop goes on meanwhile: a gigabyte takes ten seconds. */
  private putAside(id: string): void {
    this.aside = { id, done: false }
    this.copy().then(
      (path) => {
        this.log.info(`what this server held before the restore is in ${path}`)
        this.aside = { id, done: true }
      },
      (error: unknown) => {
        this.log.error(`what this server holds could not be put aside: ${sentenceOf(error)}`)
        this.aside = { id, done: true, problem: sentenceOf(error) }
      },
    )
  }

  /** A copy of what this server holds, as a backup that can be restored itself. @returns where it is */
  private async copy(): Promise<string> {
    const redis = await this.local.redis()
    const role = ((await redis.call('ROLE')) as string[])[0] === 'master' ? 'master' : 'replica'
    const aof = await AofCopy.written(redis, this.paths.redisData)
    try {
      const place = newPlace(this.paths)
      mkdirSync(place, { mode: 0o750 })
      await makeRoom([{ folder: place, bytes: aof.bytes }], [])
      const path = join(place, nameOf(role, Date.now()))
      await aof.writeTo(path)
      return path
    } finally {
      await aof.close()
    }
  }

  /**
   * With the swap the agents' connections end in the same transaction: what they have on the way would else be held
   * against marks that are no more.
   */
  private async step(secrets: Secrets, step: 'fence' | 'drop' | 'swap', ...args: string[]): Promise<void> {
    const redis = await connect({
      host: this.local.address,
      port: REDIS_PORT,
      login: { username: ADMIN, password: secrets.admin },
      ...(this.address === undefined ? {} : { localAddress: this.address }),
      commandMs: SWAP_MS,
    })
    try {
      const transaction = redis.multi().call('FCALL', 'netq_restore', 0, step, ...args)
      if (step === 'swap') transaction.call('CLIENT', 'KILL', 'USER', 'default')
      for (const [error] of (await transaction.exec()) ?? []) if (error) throw error
    } finally {
      redis.disconnect()
    }
  }
}
