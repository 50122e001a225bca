import { createSocket } from 'node:dgram'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
} from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeChannel } from '../../src/notifier/channels/index.ts'
import { until } from '../support/until.ts'
import { contextFor, notification, some } from './receiver.ts'

const never = new AbortController().signal
let folder: string
let closing: (() => unknown)[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'syslog-'))
  closing = [() => rmSync(folder, { recursive: true })]
})
afterEach(async () => {
  for (const close of closing.reverse()) await close()
})

describe('the log file', () => {
  const file = () => join(folder, 'var/log/netq-notifier.log')
  const logTo = (logFile: string) => makeChannel({ type: 'syslog', name: 'syslog' }, contextFor({ logFile }))

  it('has lines as operators know them', async () => {
    const one = notification(0, {
      time: 1503960212794.669,
      severity: 'INFO',
      message: 'BGP: leaf01 peerlink-1.4094: session state changed from failed to established',
    })
    const forged = notification(1, { message: 'x\n2017-08-28T22:43:32 forged' })
    expect(await logTo(file()).send([one, forged], never)).toEqual({ taken: 2 })
    expect(readFileSync(file(), 'utf8').split('\n')).toEqual([
      `2017-08-28T22:43:32.794669+00:00 ts01 netq-notifier[${process.pid}]: INFO: filter#default: BGP: leaf01 peerlink-1.4094: session state changed from failed to established`,
      `2017-08-28T22:43:32.795000+00:00 ts01 netq-notifier[${process.pid}]: ERROR: filter#default: x#0122017-08-28T22:43:32 forged`,
      '',
    ])
  })

  it('loses and repeats no line while it is rotated all the time', async () => {
    const log = logTo(file())
    let rotated = 0
    await log.send([notification(0)], never)
    const rotating = setInterval(() => {
      // Not there when two rotations follow each other; logrotate does not rotate what is missing either.
      if (existsSync(file())) renameSync(file(), `${file()}.${rotated++}`)
    }, 3)
    closing.push(() => clearInterval(rotating))
    let n = 1
    for (; n < 2000 || rotated < 20; n += 10) {
      const batch = Array.from({ length: 10 }, (_, i) => notification(n + i))
      expect(await log.send(batch, never)).toEqual({ taken: 10 })
    }
    clearInterval(rotating)
    const folderOfLogs = join(folder, 'var/log')
    const lines = readdirSync(folderOfLogs).flatMap((name) =>
      readFileSync(join(folderOfLogs, name), 'utf8').trimEnd().split('\n'),
    )
    const ports = lines.map((line) =>
      Number(/ERROR: filter#default: LINK: leaf01 swp(\d+): /.exec(line)?.[1]),
    )
    expect(ports.toSorted((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i))
  })

  it('is begun anew where it was removed, and goes on where it was truncated', async () => {
    const log = logTo(file())
    await log.send([notification(0)], never)
    unlinkSync(file())
    await log.send([notification(1)], never)
    expect(readFileSync(file(), 'utf8')).toContain('swp1:')
    truncateSync(file(), 0)
    await log.send([notification(2)], never)
    expect(readFileSync(file(), 'utf8')).toMatch(/^2017.*swp2:.*\n$/)
  })

  it('that cannot be written is tried again', async () => {
    const sent = await logTo(folder).send(some(2), never)
    expect(sent).toMatchObject({ taken: 0, problem: expect.stringContaining(`${folder} cannot be written`) })
    expect(sent).not.toHaveProperty('refused')
    expect(await logTo('/dev/full').send(some(2), never)).toMatchObject({
      taken: 0,
      problem: expect.stringContaining('no space left'),
    })
  })
})

/** The fields of a message of RFC 5424. */
function parsed(message: string) {
  const [, priority, time, host, program, pid, type, data, text] =
    /^<(\d+)>1 (\S+) (\S+) (\S+) (\S+) (\S+) (\[.*?[^\\]\]) \ufeff(.*)$/s.exec(message) ?? []
  return { priority, time, host, program, pid, type, data, text }
}

describe('a syslog server', () => {
  async function udp() {
    const socket = createSocket('udp4')
    const received: string[] = []
    socket.on('message', (message) => received.push(message.toString()))
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    closing.push(() => new Promise<void>((resolve) => socket.close(() => resolve())))
    return { received, port: socket.address().port }
  }

  function sendTo(protocol: 'udp' | 'tcp', port: number, timeoutMs = 5000) {
    const server = { protocol, host: '127.0.0.1', port }
    const channel = makeChannel(
      { type: 'syslog-server', name: 'syslog-server', server },
      contextFor({ timeoutMs }),
    )
    closing.push(() => channel.close())
    return channel
  }

  it('gets a datagram for each event, with its fields as structured data', async () => {
    const { received, port } = await udp()
    const events = [
      notification(0, { severity: 'CRITICAL', hostname: 'le"af]01\\' }),
      notification(1, { message: 'ü'.repeat(3000) }),
    ]
    expect(await sendTo('udp', port).send(events, never)).toEqual({ taken: 2 })
    await until('both are there', 5000, () => received.length === 2)
    expect(parsed(received[0]!)).toEqual({
      priority: '26',
      time: '2017-08-28T22:43:32.794000Z',
      host: 'ts01',
      program: 'netq-notifier',
      pid: String(process.pid),
      type: 'Link',
      data: '[netq@32473 id="1511476000000-0.0" type="Link" severity="CRITICAL" host="le\\"af\\]01\\\\" filter="default"]',
      text: 'CRITICAL: filter#default: LINK: leaf01 swp0: state changed from up to down',
    })
    expect(Buffer.byteLength(received[1]!)).toBeGreaterThan(2040)
    expect(Buffer.byteLength(received[1]!)).toBeLessThanOrEqual(2048)
    expect(parsed(received[1]!).text).toMatch(/^ERROR: filter#default: ü+$/)
  })

  /** A collector that counts octets as RFC 6587 says; `onSocket` may do with a connection what it wants. */
  async function tcp(port = 0, onSocket: (socket: Socket, n: number) => boolean = () => false) {
    const received: string[] = []
    const sockets: Socket[] = []
    const server = createServer((socket) => {
      sockets.push(socket)
      socket.on('error', () => {})
      if (onSocket(socket, sockets.length)) return
      let rest = Buffer.alloc(0)
      socket.on('data', (chunk) => {
        rest = Buffer.concat([rest, chunk])
        for (;;) {
          const space = rest.indexOf(' ')
          const length = Number(rest.subarray(0, Math.max(0, space)))
          if (space < 1 || rest.length < space + 1 + length) return
          received.push(rest.subarray(space + 1, space + 1 + length).toString())
          rest = rest.subarray(space + 1 + length)
        }
      })
    })
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    const close = async () => {
      for (const socket of sockets) socket.destroy()
      if (server.listening) await new Promise((resolve) => server.close(resolve))
    }
    closing.push(close)
    return { received, sockets, close, port: (server.address() as AddressInfo).port }
  }
  const idsIn = (received: readonly string[]) => received.map((message) => /id="([^"]*)"/.exec(message)?.[1])
  const idsOf = (...numbers: number[]) => numbers.map((n) => notification(n).event.id)

  it('gets counted messages over one connection, in order', async () => {
    const collector = await tcp()
    const channel = sendTo('tcp', collector.port)
    const events = some(500, { message: 'ü\nx' })
    for (let n = 0; n < 500; n += 100) {
      expect(await channel.send(events.slice(n, n + 100), never)).toEqual({ taken: 100 })
    }
    await until('all are there', 5000, () => collector.received.length === 500)
    expect(idsIn(collector.received)).toEqual(events.map(({ event }) => event.id))
    expect(parsed(collector.received[7]!).text).toBe('ERROR: filter#default: ü#012x')
    expect(collector.sockets).toHaveLength(1)
  })

  it('that ends the connection in order and comes back gets each event once', async () => {
    const collector = await tcp()
    const channel = sendTo('tcp', collector.port)
    await channel.send([notification(0)], never)
    await until('it is there', 5000, () => collector.received.length === 1)
    const ended = new Promise((resolve) => collector.sockets[0]!.once('close', resolve))
    collector.sockets[0]!.end()
    await ended
    await collector.close()
    expect(await channel.send([notification(1)], never)).toMatchObject({
      taken: 0,
      problem: `the syslog server 127.0.0.1, port ${collector.port} cannot be reached (ECONNREFUSED)`,
    })
    const back = await tcp(collector.port)
    expect(await channel.send([notification(1)], never)).toEqual({ taken: 1 })
    await until('it is there', 5000, () => back.received.length === 1)
    expect(idsIn([...collector.received, ...back.received])).toEqual(idsOf(0, 1))
  })

  it('that breaks off before it read the last batch gets that one again', async () => {
    const collector = await tcp(0, (socket, n) => {
      // The first connection is reset with everything unread, as when the collector is killed.
      if (n === 1) setTimeout(() => socket.resetAndDestroy(), 50)
      return n === 1
    })
    const channel = sendTo('tcp', collector.port)
    expect(await channel.send([notification(0), notification(1)], never)).toEqual({ taken: 2 })
    await until('the connection is broken', 5000, () => collector.sockets[0]!.destroyed)
    let next = { taken: 0 }
    await until('the next one is sent', 5000, async () => {
      next = await channel.send([notification(2)], never)
      return next.taken === 1
    })
    await until('all are there', 5000, () => collector.received.length === 3)
    expect(idsIn(collector.received)).toEqual(idsOf(0, 1, 2))
  })

  it('that reads nothing is left after the time-out, or when the notifier stops', async () => {
    const collector = await tcp(0, (socket) => {
      socket.pause()
      return true
    })
    const large = some(500, { message: 'x'.repeat(50_000) })
    expect(await sendTo('tcp', collector.port, 300).send(large, never)).toEqual({
      taken: 0,
      problem: `the syslog server 127.0.0.1, port ${collector.port} took nothing for 0.3 s`,
    })
    const stop = new AbortController()
    const sending = sendTo('tcp', collector.port).send(large, stop.signal)
    await until('it is connected', 5000, () => collector.sockets.length === 2)
    stop.abort()
    expect((await sending).problem).toMatch(/^stopped before/)
  })
})
