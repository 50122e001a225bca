import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { createServer, type Server } from 'node:https'
import { SHOW_PORT } from '../api/types.ts'
import type { Paths } from '../platform/paths.ts'

/** How often it is looked whether the certificate is there, or another one, in milliseconds. */
const LOOK_MS = 1000
/** Everybody on the network may ask: more connections, and questions that come in more slowly (ms), are not taken. */
const MAX_CONNECTIONS = 256
const QUESTION_MS = 5000
/** An answer that nobody reads is given up after this, in milliseconds. */
const STALL_MS = 60_000

/**
 * The same questions as on netqd's socket, from the nodes: HTTPS, with the certificate by which the other servers know
 * this one too, so that an operator has one fingerprint to compare. cts-auth makes it at its first start.
 */
export class NetworkDoor {
  private readonly paths: Paths
  private readonly address: string | undefined
  private readonly listener: RequestListener
  private server: Server | undefined
  private shown = 0

  constructor(paths: Paths, address: string | undefined, listener: RequestListener) {
    this.paths = paths
    this.address = address
    this.listener = listener
  }

  /** Opens it, or shows another certificate, if it is time to. @returns after how many milliseconds to look again */
  async look(): Promise<number> {
    const { identityCertificate, identityKey } = this.paths
    const made = statSync(identityCertificate, { throwIfNoEntry: false })?.mtimeMs
    if (made === undefined || made === this.shown) return LOOK_MS
    const pair = { key: readFileSync(identityKey), cert: readFileSync(identityCertificate) }
    if (this.server) this.server.setSecureContext(pair)
    else this.server = await this.open(pair)
    this.shown = made
    return LOOK_MS
  }

  async close(): Promise<void> {
    if (!this.server) return
    this.server.close()
    this.server.closeAllConnections()
    await once(this.server, 'close')
  }

  private async open(pair: { key: Buffer; cert: Buffer }): Promise<Server> {
    const server = createServer(
      { ...pair, requestTimeout: QUESTION_MS, handshakeTimeout: QUESTION_MS },
      this.listener,
    )
    server.maxConnections = MAX_CONNECTIONS
    server.setTimeout(STALL_MS)
    server.listen({ host: this.address ?? '0.0.0.0', port: SHOW_PORT })
    await once(server, 'listening')
    return server
  }
}
