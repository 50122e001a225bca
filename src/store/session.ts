import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'

/** A batch as the spool holds it and the log keeps it (docs/architecture.md). */
export interface Batch {
  /** The number it follows. */
  readonly prev: number
  readonly seq: number
  /** When the agent made it, ms since the epoch. */
  readonly time: number
  readonly payload: string
}

/** What the store said last: the agent's mark, and where the cluster's servers are. */
export interface Standing {
  readonly mark: number
  /** The cluster's servers in order; empty while the store belongs to no cluster yet (HA off). */
  readonly servers: readonly string[]
  readonly clusterId: string
}

/** The store will never take this batch; `reason` says why. Nothing of it was applied. */
export class BatchRefused extends Error {
  readonly seq: number
  readonly reason: string
  constructor(seq: number, reason: string) {
    super(`the store refused batch ${seq}: ${reason}`)
    this.seq = seq
    this.reason = reason
  }
}

/** A backup is being restored there: it takes a while, and asking at once again is of no use. */
export class Restoring extends Error {}

/** Another agent has this host name. */
export class NameTaken extends Error {}

/** How long a WAIT for the first replica may take; past it the master may be cut off, so the agent looks again. */
const WAIT_MS = 600

/**
 * One agent's conversation with one master. Anything that rejects, other than BatchRefused and NameTaken, means that
 * it is over: close it, find the master again, say hello, and go on from the mark that it answers.
 */
export class Session {
  readonly ip: string
  private readonly redis: Redis
  private readonly host: string
  private readonly agent: string
  private readonly id = randomUUID()
  private highAvailability = false

  constructor(ip: string, redis: Redis, host: string, agent: string) {
    this.ip = ip
    this.redis = redis
    this.host = host
    this.agent = agent
  }

  /**
   * Takes the host name, and proves that everything up to the answered mark is on a replica too: the hello is itself
   * a write, so that the WAIT behind it on the same connection covers what came before (a WAIT as a connection's
   * first command returned 2 at once for an unreplicated write, measured).
   */
  async hello(now: number): Promise<Standing> {
    const [reply] = await this.run([['netq_hello', this.host, this.agent, this.id, String(now)]])
    const standing = standingOf(reply)
    this.highAvailability = standing.servers.length > 1
    if (this.highAvailability) this.require(Number(await this.redis.call('WAIT', 1, WAIT_MS)))
    return standing
  }

  /**
   * Applies batches in order, and resolves once they are acknowledged: applied, and on at least one replica (on the
   * one server there is, where HA is off). A batch that was applied before is skipped by the store.
   * @param resentUpTo batches up to this number were sent before, on another connection
   */
  async push(batches: readonly Batch[], resentUpTo: number): Promise<Standing> {
    const calls = batches.map((b) => [
      'netq_apply',
      this.host,
      this.id,
      String(b.prev),
      String(b.seq),
      String(b.time),
      b.payload,
      ...(b.seq <= resentUpTo ? ['resent'] : []),
    ])
    const replies = await this.run(calls, this.highAvailability ? 1 : 0)
    const replicas = this.highAvailability ? replies.pop() : 0
    let standing: Standing | undefined
    for (const [i, reply] of replies.entries()) {
      if (reply instanceof Error && /REFUSED/.test(reply.message)) {
        throw new BatchRefused(batches[i]!.seq, reply.message.replace(/^.*REFUSED /, ''))
      }
      standing = standingOf(reply)
      if ((reply as string[])[0] === 'GAP') {
        throw new Error(`batch ${batches[i]!.seq} does not follow the store's mark ${standing.mark}`)
      }
    }
    if (!this.highAvailability && standing!.servers.length > 1) {
      // The cluster was formed since the hello: from now on one replica has to confirm, beginning with this.
      this.highAvailability = true
      this.require(Number(await this.redis.call('WAIT', 1, WAIT_MS)))
    } else this.require(replicas as number)
    return standing!
  }

  /** "I live", with what the agent says of itself. */
  async beat(now: number, info: object): Promise<Standing> {
    const [reply] = await this.run([['netq_beat', this.host, this.id, String(now), JSON.stringify(info)]])
    return standingOf(reply)
  }

  /** Whether everything that was sent so far is on two replicas. Waits at most `ms` for it. */
  async onTwoReplicas(ms: number): Promise<boolean> {
    return this.highAvailability && Number(await this.redis.call('WAIT', 2, ms)) >= 2
  }

  close(): void {
    this.redis.disconnect()
  }

  /** Resolves when the connection has ended, by whatever cause. */
  ended(): Promise<void> {
    if (this.redis.status === 'end') return Promise.resolve()
    return new Promise((resolve) => this.redis.once('end', () => resolve()))
  }

  /** The calls and, with `replicas`, a WAIT for them, in one write; replies in order (errors in their place). */
  private async run(calls: readonly string[][], replicas = 0): Promise<unknown[]> {
    const pipeline = this.redis.pipeline()
    for (const [name, ...args] of calls) pipeline.call('FCALL', name!, '0', ...args)
    if (replicas > 0) pipeline.call('WAIT', replicas, WAIT_MS)
    const results = (await pipeline.exec()) ?? []
    return results.map(([error, value]) => error ?? value)
  }

  private require(replicas: number): void {
    if (this.highAvailability && !(replicas >= 1))
      throw new Error(`no replica of ${this.ip} confirmed within ${WAIT_MS} ms`)
  }
}

function standingOf(reply: unknown): Standing {
  if (reply instanceof Error) {
    if (/NAMEINUSE|FOREIGN/.test(reply.message))
      throw new NameTaken(reply.message.replace(/^.*(NAMEINUSE|FOREIGN) /, ''))
    if (/^RESTORING /.test(reply.message)) throw new Restoring(reply.message.replace('RESTORING ', ''))
    throw new Error(plain(reply.message))
  }
  const [, mark, servers, clusterId] = reply as string[]
  return {
    mark: Number(mark),
    servers: servers === '' ? [] : servers!.split(' '),
    clusterId: clusterId ?? '',
  }
}

/** Redis' own refusals in an operator's words. */
function plain(message: string): string {
  if (message.startsWith('NOREPLICAS')) return 'the master takes no writes: no replica is connected to it'
  if (message.startsWith('READONLY')) return 'that server is a replica now'
  if (message.startsWith('OOM')) return 'the master takes no writes: its memory is full'
  if (message.startsWith('MISCONF')) return 'the master takes no writes: it cannot write to its disk'
  if (/Function not found/.test(message)) return 'the master is not ready yet (its functions are not loaded)'
  return message
}
