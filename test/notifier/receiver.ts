import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { ChannelContext } from '../../src/notifier/channels/kind.ts'
import type { Notification } from '../../src/notifier/types.ts'

/** A notification as a test needs it; `n` makes it one of many. */
export function notification(n: number, event: Partial<Notification['event']> = {}): Notification {
  return {
    filter: 'default',
    event: {
      id: `1511476${String(n).padStart(6, '0')}-0.0`,
      time: 1503960212794 + n,
      hostname: 'leaf01',
      type: 'Link',
      severity: 'ERROR',
      message: `LINK: leaf01 swp${n}: state changed from up to down`,
      subject: `Link leaf01 swp${n}`,
      recovers: false,
      ...event,
    },
  }
}

export const some = (count: number, event: Partial<Notification['event']> = {}) =>
  Array.from({ length: count }, (_, n) => notification(n, event))

/** What a channel needs, and the warnings that it wrote. */
export function contextFor(given: Partial<ChannelContext> = {}) {
  const warnings: string[] = []
  const silent = () => {}
  const log = { debug: silent, info: silent, warning: (text: string) => warnings.push(text), error: silent }
  return { server: 'ts01', logFile: '/nowhere', timeoutMs: 5000, log, ...given, warnings }
}

export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/**
 * A real HTTP server on the loopback that keeps what it gets. `behave` may answer for itself (or not at all) and then
 * returns true; what it leaves is answered with 200.
 */
export async function receiver(
  behave: (received: Received, reply: ServerResponse, request: IncomingMessage) => boolean | undefined = () =>
    undefined,
) {
  const received: Received[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((request, reply) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request
      const one = { method, path, headers, body: Buffer.concat(chunks).toString() }
      received.push(one)
      if (!behave(one, reply, request)) reply.end('ok')
    })
  })
  server.on('connection', (socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    received,
    port,
    connections: () => connections,
    url: (path: string) => `http://127.0.0.1:${port}${path}`,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
