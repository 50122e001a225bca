import type { Redis } from 'ioredis'
import { keysUnder } from '../store/keys.ts'
import { scan } from './contents.ts'

/** What is read and written at once: few enough entries that neither Redis is held up. */
const AT_ONCE = 500
/** Most keys are small, and an answer takes longer to come than to be made: this many are copied side by side. */
const KEYS_AT_ONCE = 32
/** How often it is said that the staging goes on, and waited for a replica, whose buffer must not overflow; milliseconds. */
const SAY_EVERY_MS = 500
/** How long a replica may take to have what was staged, in milliseconds. */
const REPLICA_MS = 10_000

export interface Staging {
  /** The Redis that has the backup loaded, and what its keys begin with. */
  readonly from: Redis
  readonly prefix: string
  /** The master, as its administrator, and what the keys of this cluster begin with. */
  readonly master: Redis
  readonly ownPrefix: string
  readonly id: string
  /** Whether there are replicas, at least one of which must have all of it. */
  readonly replicas: boolean
}

/**
 * Brings a backup into the store under names where nobody looks (netq.lua, `netq_restore`). By commands rather than by
 * serialised values: those of a log of gigabytes would be one answer that Redis refuses (512 MB), and hold it up.
 * Rejects if anything is not taken; what was staged is then dropped by the master's cts-auth.
 * @returns how many keys
 */
export async function stage(staging: Staging): Promise<number> {
  return new Stager(staging).run()
}

class Stager {
  private readonly staging: Staging
  private said = 0

  constructor(staging: Staging) {
    this.staging = staging
  }

  async run(): Promise<number> {
    const { from, prefix } = this.staging
    const left = keysUnder(prefix)
    // Which cluster this is, who is what in it, and what was being restored then, are no part of what is restored.
    const done = new Set([left.cluster, left.roles])
    const others = done.size
    await this.step('begin')
    for await (const keys of scan(from, `${prefix}[dc]:*`)) {
      const fresh = [...new Set(keys)].filter((key) => !done.has(key))
      for (const key of fresh) done.add(key)
      for (let i = 0; i < fresh.length; i += KEYS_AT_ONCE)
        await Promise.all(fresh.slice(i, i + KEYS_AT_ONCE).map((key) => this.copy(key)))
    }
    await this.step('ready')
    return done.size - others
  }

  private async step(name: 'begin' | 'stage' | 'ready'): Promise<void> {
    const { master, id, replicas } = this.staging
    await master.call('FCALL', 'netq_restore', 0, name, id)
    if (replicas && Number(await master.call('WAIT', 1, REPLICA_MS)) < 1)
      throw new Error(`no replica has what was read of the backup within ${REPLICA_MS / 1000} s`)
    this.said = Date.now()
  }

  private async copy(key: string): Promise<void> {
    const { from, prefix, ownPrefix } = this.staging
    const target = keysUnder(ownPrefix).staged + key.slice(prefix.length)
    const type = await from.type(key)
    if (type === 'string') await this.write([['SET', target, (await from.getBuffer(key))!]])
    else if (type === 'hash') await this.copyParts(['HSCAN', key], ['HSET', target])
    else if (type === 'set') await this.copyParts(['SSCAN', key], ['SADD', target])
    else if (type === 'stream') await this.copyStream(key, target)
    else if (type !== 'none') throw new Error(`the backup holds ${key.slice(prefix.length)} as a ${type}`)
  }

  private async copyParts([read, key]: [string, string], [add, target]: [string, string]): Promise<void> {
    let cursor = '0'
    do {
      const answer = await this.staging.from.callBuffer(read, key, cursor, 'COUNT', AT_ONCE)
      const [next, items] = answer as [Buffer, Buffer[]]
      cursor = next.toString()
      // A field and its value belong together; a small hash comes whole, whatever was asked for.
      for (let i = 0; i < items.length; i += 2 * AT_ONCE)
        await this.write([[add, target, ...items.slice(i, i + 2 * AT_ONCE)]])
    } while (cursor !== '0')
  }

  /** With the ids of its entries, and the last id it ever gave: new entries come after those that were trimmed, too. */
  private async copyStream(key: string, target: string): Promise<void> {
    const { from } = this.staging
    let after = '-'
    let writing: Promise<void> | undefined
    for (;;) {
      const [answer] = await Promise.all([
        from.callBuffer('XRANGE', key, after, '+', 'COUNT', AT_ONCE),
        writing,
      ])
      const entries = answer as [Buffer, Buffer[]][]
      if (entries.length === 0) break
      writing = this.write(entries.map(([id, fields]) => ['XADD', target, id, ...fields]))
      after = `(${entries.at(-1)![0]}`
    }
    if (after === '-') return
    const info = (await from.xinfo('STREAM', key)) as unknown[]
    await this.write([['XSETID', target, String(info[info.indexOf('last-generated-id') + 1])]])
  }

  private async write(commands: readonly (readonly [string, ...(string | Buffer)[]])[]): Promise<void> {
    const pipeline = this.staging.master.pipeline()
    for (const [name, ...args] of commands) pipeline.call(name, ...args)
    for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error
    if (Date.now() - this.said < SAY_EVERY_MS) return
    this.said = Date.now()
    await this.step('stage')
  }
}
