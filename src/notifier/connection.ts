import { readSecrets, type Secrets } from '../config/secrets.ts'
import type { Paths } from '../platform/paths.ts'
import { NOTIFIER, REDIS_PORT } from '../store/names.ts'
import { LocalReader } from '../store/reader.ts'
import { NotifierStore } from './store.ts'

interface Opened {
  readonly store: NotifierStore
  readonly reader: LocalReader
}

/**
 * The notifier's connections to the Redis of its own server, made when they are first needed and anew when they broke
 * or when the server took the secrets of a cluster that it joined.
 */
export class LocalStore {
  private readonly paths: Paths
  private readonly address: string | undefined
  private opening: Promise<Opened> | undefined
  private opened: Opened | undefined
  private key = ''

  constructor(paths: Paths, address: string | undefined) {
    this.paths = paths
    this.address = address
  }

  /** Rejects with a sentence if Redis does not answer. */
  async get(): Promise<Opened> {
    const secrets = this.secrets()
    if (this.opened && (this.key !== secrets.key || !this.opened.store.usable)) this.close()
    this.opening ??= this.open(secrets).catch((error: unknown) => {
      this.opening = undefined
      throw error
    })
    return this.opening
  }

  /** A connection to another server's Redis, which the caller closes. */
  openAt(server: string): Promise<NotifierStore> {
    return NotifierStore.open(server, this.secrets(), this.address)
  }

  close(): void {
    this.opened?.store.close()
    this.opened?.reader.close()
    this.opened = undefined
    this.opening = undefined
  }

  private async open(secrets: Secrets): Promise<Opened> {
    const host = this.address ?? '127.0.0.1'
    const store = await NotifierStore.open(host, secrets, this.address)
    const target = {
      host,
      port: REDIS_PORT,
      login: { username: NOTIFIER, password: secrets.notifier },
      ...(this.address === undefined ? {} : { localAddress: this.address }),
      commandMs: 5000,
    }
    this.key = secrets.key
    this.opened = { store, reader: new LocalReader(target, secrets.prefix) }
    return this.opened
  }

  private secrets(): Secrets {
    const secrets = readSecrets(this.paths)
    if (!secrets) throw new Error('this server is not set up yet: cts-auth has not run on it')
    return secrets
  }
}
