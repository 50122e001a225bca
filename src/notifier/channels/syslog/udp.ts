import { createSocket, type Socket } from 'node:dgram'
import { isIP } from 'node:net'
import type { Channel, Notification, Sent } from '../../types.ts'
import type { ChannelContext } from '../kind.ts'
import { syslogMessage } from './rfc5424.ts'
import type { SyslogServer } from './server.ts'

/** What every receiver should take in one datagram (RFC 5426, 3.2), in bytes. */
const mostBytes = 2048

/** UDP tells nobody whether a message arrived: it is taken once the system has it. */
export class UdpSender implements Channel {
  private readonly to: SyslogServer
  private readonly server: string
  private socket: Socket | undefined

  constructor(to: SyslogServer, { server }: ChannelContext) {
    this.to = to
    this.server = server
  }

  async send(notifications: readonly Notification[], signal: AbortSignal): Promise<Sent> {
    let taken = 0
    for (const one of notifications) {
      if (signal.aborted) return { taken, problem: 'stopped before everything was sent to the syslog server' }
      try {
        await this.sendOne(shortened(syslogMessage(one, this.server, process.pid)))
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        return { taken, problem: `the syslog server ${this.to.host} cannot be sent to (${code})` }
      }
      taken++
    }
    return { taken }
  }

  async close(): Promise<void> {
    const { socket } = this
    this.socket = undefined
    if (socket) await new Promise<void>((resolve) => socket.close(resolve))
  }

  private sendOne(message: Buffer): Promise<void> {
    this.socket ??= this.open()
    const { socket } = this
    const { host, port } = this.to
    return new Promise((resolve, reject) => {
      socket.send(message, port, host, (error) => (error ? reject(error) : resolve()))
    })
  }

  private open(): Socket {
    const socket = createSocket(isIP(this.to.host) === 6 ? 'udp6' : 'udp4')
    // Each `send` learns of its own errors; without a listener one that comes late would end the process.
    socket.on('error', () => {})
    return socket.unref()
  }
}

/** Cut off between two characters. */
function shortened(message: Buffer): Buffer {
  if (message.length <= mostBytes) return message
  let end = mostBytes
  while ((message[end]! & 0xc0) === 0x80) end--
  return message.subarray(0, end)
}
