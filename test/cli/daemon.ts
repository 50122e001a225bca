import { mkdirSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { dirname } from 'node:path'

export interface Asked {
  readonly path: string
  readonly body: unknown
}

/** A daemon's side of the unix socket: keeps what it was asked and answers as the test says. */
export class Daemon {
  readonly asked: Asked[] = []
  private readonly server: Server

  private constructor(answer: (asked: Asked, response: ServerResponse, request: IncomingMessage) => void) {
    this.server = createServer((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part) => parts.push(part))
      request.on('end', () => {
        const asked = { path: request.url ?? '', body: JSON.parse(Buffer.concat(parts).toString()) }
        this.asked.push(asked)
        answer(asked, response, request)
      })
    })
  }

  static async listen(
    socket: string,
    answer: (asked: Asked, response: ServerResponse, request: IncomingMessage) => void,
  ): Promise<Daemon> {
    mkdirSync(dirname(socket), { recursive: true })
    const daemon = new Daemon(answer)
    await new Promise<void>((resolve) => daemon.server.listen(socket, resolve))
    return daemon
  }

  close(): Promise<void> {
    this.server.closeAllConnections()
    return new Promise((resolve) => this.server.close(() => resolve()))
  }
}
