import { execFileSync } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { afterEach, describe, expect, it } from 'vitest'
import { type Integration, makeChannel } from '../../src/notifier/channels/index.ts'
import type { Channel } from '../../src/notifier/types.ts'
import { contextFor, notification, some } from './receiver.ts'

const never = new AbortController().signal
const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

interface Mail {
  readonly from: string
  readonly to: string[]
  readonly user: string | undefined
  readonly secure: boolean
  readonly source: string
}

/** A real SMTP server on the loopback that keeps the mails. */
async function smtp(options: SMTPServerOptions = {}) {
  const mails: Mail[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope
        mails.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          user: session.user,
          secure: session.secure,
          source: Buffer.concat(chunks).toString(),
        })
        done()
      })
    },
    ...options,
  })
  // A client that does not trust the certificate ends the connection, which is what a test wants to see.
  server.on('error', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise<void>((resolve) => server.close(() => resolve())))
  return { mails, port: (server.server.address() as AddressInfo).port }
}

/** A certificate for 127.0.0.1 that no authority signed. */
function selfSigned(): { key: string; cert: string } {
  const request = [
    'req',
    '-x509',
    '-nodes',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-days',
    '2',
  ]
  const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  // Both are written to the standard output, one after the other.
  const both = execFileSync('openssl', [...request, ...names, '-keyout', '-', '-out', '-'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return { key: both, cert: both }
}

type Email = Extract<Integration, { type: 'email' }>

function mailTo(port: number, given: Partial<Email> = {}, context = contextFor()): Channel {
  const channel = makeChannel(
    {
      name: 'noc',
      type: 'email',
      severity: 'INFO',
      server: '127.0.0.1',
      port,
      security: 'none',
      from: 'netq@example.net',
      to: ['noc@example.net'],
      ...given,
    },
    context,
  )
  closing.push(() => channel.close())
  return channel
}

/** Refuses with the number that stands in the local part of the address. */
const refusingByName: SMTPServerOptions = {
  onRcptTo({ address }, _session, done) {
    const responseCode = Number.parseInt(address, 10)
    done(responseCode > 0 ? Object.assign(new Error('no SECRET'), { responseCode }) : null)
  },
}

const header = (mail: Mail | undefined, name: string) =>
  new RegExp(`^${name}:(.*(?:\r\n .*)*)`, 'im')
    .exec(mail?.source ?? '')?.[1]
    ?.replace(/\r\n/g, '')
    .trim()

describe('e-mail', () => {
  it('has one event in the subject and in the text', async () => {
    const { mails, port } = await smtp()
    const message = 'LINK: leaf01 swp1: state changed\r\nBcc: all@example.net'
    const events = [notification(1, { message })]
    expect(await mailTo(port, { to: ['a@example.net', 'b@example.net'] }).send(events, never)).toEqual({
      taken: 1,
    })
    expect(mails).toMatchObject([{ from: 'netq@example.net', to: ['a@example.net', 'b@example.net'] }])
    const [mail] = mails
    expect(header(mail, 'Subject')).toBe('netq: ERROR: LINK: leaf01 swp1: state changed Bcc: all@example.net')
    expect(header(mail, 'From')).toBe('netq on ts01 <netq@example.net>')
    expect(header(mail, 'Auto-Submitted')).toBe('auto-generated')
    expect(header(mail, 'Bcc')).toBeUndefined()
  })

  it('has all events of a burst in one mail, in order, over a connection that is kept', async () => {
    let connections = 0
    const { mails, port } = await smtp({
      onConnect(_session, done) {
        connections++
        done()
      },
    })
    const channel = mailTo(port)
    const events = some(500)
    expect(await channel.send(events, never)).toEqual({ taken: 500 })
    expect(await channel.send([notification(1)], never)).toEqual({ taken: 1 })
    expect(mails).toHaveLength(2)
    expect(connections).toBe(1)
    expect(header(mails[0], 'Subject')).toBe('netq: 500 events: 500 ERROR')
    const text = mails[0]!.source.replace(/=\r\n/g, '')
    const ids = [...text.matchAll(/\[(\d+-0\.0)\]/g)].map(([, id]) => id)
    expect(ids).toEqual(events.map(({ event }) => event.id))
  })

  it('has the same Message-ID when the same events are sent again, from whichever server', async () => {
    const { mails, port } = await smtp()
    await mailTo(port).send(some(3), never)
    await mailTo(port, {}, contextFor({ server: 'ts02' })).send(some(3), never)
    await mailTo(port).send(some(4), never)
    const ids = mails.map((mail) => header(mail, 'Message-ID'))
    expect(ids[0]).toMatch(/^<netq\.[\w.-]+@example\.net>$/)
    expect(ids[1]).toBe(ids[0])
    expect(ids[2]).not.toBe(ids[0])
  })

  it('is sent with the password of the configuration', async () => {
    const { mails, port } = await smtp({
      authOptional: false,
      allowInsecureAuth: true,
      onAuth({ username = '', password }, _session, done) {
        if (password === 'right') done(null, { user: username })
        else done(new Error(`wrong: ${password}`))
      },
    })
    expect(await mailTo(port, { user: 'u', password: 'right' }).send(some(1), never)).toEqual({ taken: 1 })
    expect(mails[0]!.user).toBe('u')
    const sent = await mailTo(port, { user: 'u', password: 'SECRET' }).send(some(1), never)
    expect(sent).toEqual({ taken: 0, problem: `127.0.0.1:${port} answered 535 (EAUTH)` })
  })

  it('is not sent where the certificate is nobody\u2019s, nor in the clear where TLS is wanted', async () => {
    const unknown = await smtp({ disabledCommands: [], ...selfSigned() })
    const sent = await mailTo(unknown.port, { security: 'starttls' }).send(some(1), never)
    expect(sent).toMatchObject({ taken: 0, problem: expect.stringContaining('could not be sent a mail') })
    expect(sent).not.toHaveProperty('refused')
    const clear = await smtp()
    expect(await mailTo(clear.port, { security: 'starttls' }).send(some(1), never)).toMatchObject({
      taken: 0,
    })
    expect([...unknown.mails, ...clear.mails]).toEqual([])
  })

  it('that the server will never take is refused, that it may take later is not', async () => {
    const { port } = await smtp(refusingByName)
    const refused = await mailTo(port, { to: ['550@example.net'] }).send(some(1), never)
    expect(refused).toEqual({
      taken: 0,
      problem: `127.0.0.1:${port} answered 550 (EENVELOPE)`,
      refused: true,
    })
    const later = await mailTo(port, { to: ['450@example.net'] }).send(some(1), never)
    expect(later).toEqual({ taken: 0, problem: `127.0.0.1:${port} answered 450 (EENVELOPE)` })
  })

  it('goes to those of the list that the server takes, and the log says who is missing', async () => {
    const { mails, port } = await smtp(refusingByName)
    const context = contextFor()
    const channel = mailTo(port, { to: ['550@example.net', 'noc@example.net'] }, context)
    expect(await channel.send(some(1), never)).toEqual({ taken: 1 })
    expect(mails[0]!.to).toEqual(['noc@example.net'])
    expect(context.warnings).toEqual([
      '127.0.0.1 takes no mail for 550@example.net; the others of the list got it',
    ])
  })

  it('is tried again at a server that is gone, hangs, or is left by the notifier', async () => {
    const gone = await smtp()
    await closing.pop()!()
    expect(await mailTo(gone.port).send(some(1), never)).toMatchObject({
      taken: 0,
      problem: expect.stringContaining(`127.0.0.1:${gone.port} could not be sent a mail`),
    })
    const hanging = createServer((socket) => socket.on('error', () => {}).resume())
    await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve))
    closing.push(() => new Promise((resolve) => hanging.close(resolve)))
    const { port } = hanging.address() as AddressInfo
    const late = await mailTo(port, {}, contextFor({ timeoutMs: 300 })).send(some(1), never)
    expect(late).toMatchObject({ taken: 0 })
    expect(late).not.toHaveProperty('refused')
    const stop = new AbortController()
    const sending = mailTo(port).send(some(1), stop.signal)
    stop.abort()
    expect(await sending).toEqual({ taken: 0, problem: 'stopped before 127.0.0.1 took the mail' })
  })
})
