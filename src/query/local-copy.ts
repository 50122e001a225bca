import { statSync } from 'node:fs'
import { type Reply, textReply } from '../api/show-listener.ts'
import type { ShowRequest } from '../api/types.ts'
import { readSecrets } from '../config/secrets.ts'
import type { Paths } from '../platform/paths.ts'
import { Database } from '../stats/database.ts'
import { influxUrl } from '../stats/names.ts'
import { READER, REDIS_PORT } from '../store/names.ts'
import { LocalReader } from '../store/reader.ts'
import { showInterfaceStats } from './interface-stats.ts'
import { BadRequest, show } from './show.ts'

/** Answers from the copy of this telemetry server. */
export class LocalCopy {
  private readonly paths: Paths
  private readonly address: string | undefined
  private readonly statistics: Database
  private reader: LocalReader | undefined
  private changed = 0

  constructor(paths: Paths, address: string | undefined) {
    this.paths = paths
    this.address = address
    this.statistics = new Database(influxUrl(address))
  }

  /** Rejects with a sentence while the store does not answer. */
  async show(request: ShowRequest): Promise<Reply> {
    const reader = this.current()
    const now = Date.now()
    try {
      const { type, body } =
        request.table === 'interface-stats'
          ? await showInterfaceStats(request, reader, this.statistics, now)
          : await show(request, reader, now)
      return { status: 200, type: type === 'json' ? 'application/json' : 'text/plain', body }
    } catch (error) {
      if (error instanceof BadRequest) return textReply(400, error.message)
      throw error
    }
  }

  close(): void {
    this.reader?.close()
    this.reader = undefined
  }

  /** The reader with the log-in of now: a server that joins a cluster takes that cluster's secrets. */
  private current(): LocalReader {
    const changed = statSync(this.paths.secrets, { throwIfNoEntry: false })?.mtimeMs ?? 0
    if (this.reader && changed === this.changed) return this.reader
    const secrets = readSecrets(this.paths)
    if (!secrets) throw new Error('this server is not set up yet: cts-auth has not run on it')
    this.close()
    this.changed = changed
    const login = { username: READER, password: secrets.reader }
    const local = this.address === undefined ? {} : { localAddress: this.address }
    const target = { host: this.address ?? '127.0.0.1', port: REDIS_PORT, login, commandMs: 5000, ...local }
    this.reader = new LocalReader(target, secrets.prefix)
    return this.reader
  }
}
