import { createHash } from 'node:crypto'
import type { Log } from '../../../platform/log.ts'
import type { Notification } from '../../types.ts'
import type { Delivery } from '../batches.ts'
import type { ChannelContext } from '../kind.ts'
import { cut, oneLine, severities, timeOf, types } from '../words.ts'
import type { EmailSettings } from './schema.ts'

type Transport = Awaited<ReturnType<typeof connect>>

/** Keeps one connection to the SMTP server, for as long as that keeps it. */
export class Mailer {
  private readonly settings: EmailSettings
  private readonly server: string
  private readonly log: Log
  private readonly timeoutMs: number
  private transport: Promise<Transport> | undefined

  constructor(settings: EmailSettings, { server, log, timeoutMs }: ChannelContext) {
    this.settings = settings
    this.server = server
    this.log = log
    this.timeoutMs = timeoutMs
  }

  /** One mail that has all of these. */
  async deliver(notifications: readonly Notification[], signal: AbortSignal): Promise<Delivery> {
    const { server, port, from, to } = this.settings
    const late = AbortSignal.timeout(this.timeoutMs)
    try {
      this.transport ??= connect(this.settings, this.timeoutMs)
      const transport = await this.transport
      const { rejected } = await transport.sendMail({
        from: { name: `netq on ${this.server}`, address: from },
        to: [...to],
        subject: subjectOf(notifications),
        text: textOf(notifications),
        messageId: messageId(notifications, from),
        headers: { 'Auto-Submitted': 'auto-generated' },
        signal: AbortSignal.any([signal, late]),
        disableFileAccess: true,
        disableUrlAccess: true,
      })
      if (rejected.length > 0) {
        this.log.warning(`${server} takes no mail for ${rejected.join(', ')}; the others of the list got it`)
      }
      return { outcome: 'taken' }
    } catch (error) {
      if (signal.aborted) return { outcome: 'later', problem: `stopped before ${server} took the mail` }
      if (late.aborted) {
        const problem = `${server}:${port} did not take the mail within ${this.timeoutMs / 1000} s`
        return { outcome: 'later', problem }
      }
      return judge(error, `${server}:${port}`)
    }
  }

  async close(): Promise<void> {
    const transport = await this.transport
    this.transport = undefined
    transport?.close({ force: true })
  }
}

/** Loads the library at the first mail: it takes 100 ms, which the other programs that read netq.yml need not wait. */
async function connect({ server, port, security, user, password }: EmailSettings, timeoutMs: number) {
  const { createTransport } = await import('nodemailer')
  return createTransport({
    pool: true,
    maxConnections: 1,
    // The notifier itself sends again what failed, and writes it down.
    maxRequeues: 0,
    host: server,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    ...(user === undefined || password === undefined ? {} : { auth: { user, pass: password } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
  })
}

/**
 * Only what the server says of this very mail, for good (5xx to its sender, its recipients or its text), is a refusal: a
 * wrong password or certificate is put right by the operator. The server's own words stay out: they may repeat the user.
 */
function judge(error: unknown, where: string): Delivery {
  const { code, responseCode } = error as { code?: string; responseCode?: number }
  const problem =
    responseCode === undefined
      ? `${where} could not be sent a mail (${code ?? 'network error'})`
      : `${where} answered ${responseCode} (${code ?? 'no code'})`
  const final = (code === 'EENVELOPE' || code === 'EMESSAGE') && (responseCode ?? 0) >= 500
  return { outcome: final ? 'refused' : 'later', problem }
}

/** The same for the same events, from whichever server and however often: mail systems know a repeat by it. */
function messageId(notifications: readonly Notification[], from: string): string {
  const ids = [notifications[0]?.event.id ?? '', notifications.at(-1)?.event.id ?? '']
  const clean = ids.map((id) =>
    /^[\w-]{1,60}$/.test(id) ? id : createHash('sha256').update(id).digest('hex').slice(0, 32),
  )
  return `<netq.${clean.join('.')}@${from.split('@').at(-1)}>`
}

function subjectOf(notifications: readonly Notification[]): string {
  const [first] = notifications
  if (first && notifications.length === 1) {
    return cut(`netq: ${first.event.severity}: ${oneLine(first.event.message)}`, 200)
  }
  return `netq: ${notifications.length} events: ${severities(notifications)}`
}

function textOf(notifications: readonly Notification[]): string {
  const lines = notifications.map(
    ({ event }) => `${timeOf(event)} ${event.severity} ${oneLine(event.message)} [${event.id}]`,
  )
  const head =
    lines.length === 1
      ? []
      : [`${lines.length} events: ${severities(notifications)} (${types(notifications)})`, '']
  return `${[...head, ...lines].join('\n')}\n`
}
