import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Channel, Notification, Sent } from '../../types.ts'
import type { ChannelContext } from '../kind.ts'
import { syslogMessage } from './rfc5424.ts'
import type { SyslogServer } from './server.ts'

/**
 * One connection, kept. A receiver of syslog acknowledges nothing, so a batch is taken once the system has its bytes. If
 * the connection then breaks with an error, the receiver may not have read the last batch: it is sent once more, before
 * the next one, and a collector knows the repeats by their ids. A connection that was ended in order was read to its end.
 */
export class TcpSender implements Channel {
  private readonly to: SyslogServer
  private readonly server: string
  private readonly timeoutMs: number
  private socket: Socket | undefined
  /** The last batch that was written, and, after the connection broke, what has to be repeated of it. */
  private last: Buffer = Buffer.alloc(0)
  private unsure: Buffer = Buffer.alloc(0)

  constructor(to: SyslogServer, { server, timeoutMs }: ChannelContext) {
    this.to = to
    this.server = server
    this.timeoutMs = timeoutMs
  }

  async send(notifications: readonly Notification[], signal: AbortSignal): Promise<Sent> {
    const batch = Buffer.concat(notifications.map((one) => this.counted(one)))
    const late = AbortSignal.timeout(this.timeoutMs)
    const stop = AbortSignal.any([signal, late])
    try {
      await this.write(batch, stop)
      return { taken: notifications.length }
    } catch (error) {
      // Half a message may be on the way: whatever follows needs a connection of its own.
      this.socket?.destroy()
      const where = `the syslog server ${this.to.host}, port ${this.to.port}`
      if (signal.aborted) return { taken: 0, problem: `stopped before ${where} took everything` }
      if (late.aborted) {
        return { taken: 0, problem: `${where} took nothing for ${this.timeoutMs / 1000} s` }
      }
      return { taken: 0, problem: `${where} cannot be reached (${(error as NodeJS.ErrnoException).code})` }
    }
  }

  async close(): Promise<void> {
    this.socket?.destroySoon()
    this.socket = undefined
  }

  private counted(notification: Notification): Buffer {
    const message = syslogMessage(notification, this.server, process.pid)
    return Buffer.concat([Buffer.from(`${message.length} `), message])
  }

  private async write(batch: Buffer, stop: AbortSignal): Promise<void> {
    const socket = this.socket?.writable ? this.socket : await this.open(stop)
    const end = () => socket.destroy()
    stop.addEventListener('abort', end, { once: true })
    try {
      await new Promise<void>((resolve, reject) => {
        socket.write(Buffer.concat([this.unsure, batch]), (error) => (error ? reject(error) : resolve()))
      })
    } finally {
      stop.removeEventListener('abort', end)
    }
    this.unsure = Buffer.alloc(0)
    this.last = batch
  }

  private async open(stop: AbortSignal): Promise<Socket> {
    const socket = connect({ host: this.to.host, port: this.to.port, keepAlive: true })
    this.socket = socket
    let established = false
    socket.on('error', () => {
      if (!established || this.last.length === 0) return
      this.unsure = this.last
      this.last = Buffer.alloc(0)
    })
    // Nothing is expected from there; unread, it would hide that the connection ends.
    socket.resume()
    await once(socket, 'connect', { signal: stop })
    established = true
    return socket.unref()
  }
}
