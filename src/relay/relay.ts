import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { type Reply, textReply } from '../api/show-listener.ts'
import { SHOW_PORT, type ShowRequest } from '../api/types.ts'
import { type Log, sentenceOf } from '../platform/log.ts'
import type { KnownServers } from './known-servers.ts'

/** A server that has not taken the connection by then is passed over; milliseconds. */
const CONNECT_MS = 1000
/** How long it may take until some server begins its answer or says that it is at work on it, and what each has at least; milliseconds. */
const ANSWER_MS = 4500
const EACH_MS = 2000
/** How long a server may work on an answer once it has said that it does, as `netq` has it; milliseconds. */
const AT_WORK_MS = 58_000
/** An answer that stops coming is given up after this, in milliseconds. */
const STALL_MS = 30_000
/** What is read of a server's reason for not answering, in characters. */
const REASON_LENGTH = 1000

/** A question that is on its way: to whom, as text, and until when (performance.now()). */
interface Question {
  readonly body: string
  readonly until: number
}

/**
 * netqd on a node: hands each question to the netqd of a telemetry server, over HTTPS, and its answer back. The servers
 * are asked in order, the one that answered last first; one that cannot be reached, whose certificate is not the known one,
 * or that cannot answer (5xx) is passed over.
 */
export class Relay {
  private readonly servers: readonly string[]
  private readonly known: KnownServers
  private readonly log: Log
  private first: string

  /** @param servers at least one */
  constructor(servers: readonly string[], known: KnownServers, log: Log) {
    this.servers = servers
    this.known = known
    this.log = log
    this.first = servers[0]!
  }

  async show(asked: ShowRequest): Promise<Reply> {
    const [body, until] = [JSON.stringify(asked), performance.now() + ANSWER_MS]
    const failures: string[] = []
    for (const server of [this.first, ...this.servers.filter((other) => other !== this.first)]) {
      try {
        const reply = await this.ask(server, { body, until: Math.max(until, performance.now() + EACH_MS) })
        this.first = server
        const note = failures.map((failure) => `${failure}\n`).join('')
        return failures.length === 0 ? reply : { ...reply, note: `${note}This is the answer of ${server}.` }
      } catch (error) {
        const why = sentenceOf(error)
        this.log.warning(`${server} does not answer: ${why}`)
        failures.push(`${server} does not answer: ${why}.`)
      }
    }
    return textReply(503, ['No telemetry server answers:', ...failures.map((line) => `  ${line}`)].join('\n'))
  }

  private async ask(server: string, question: Question): Promise<Reply> {
    const response = await this.responseOf(server, question)
    const { statusCode: status = 500, headers } = response
    if (status >= 500) throw new Error(await beginningOf(response))
    return { status, type: headers['content-type'] ?? 'text/plain', body: response }
  }

  private responseOf(server: string, { body, until }: Question): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const call = request({
        host: server,
        port: SHOW_PORT,
        method: 'POST',
        path: '/v1/show',
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
        // A connection for each question: a resumed session would not show the certificate again.
        agent: false,
        // Certificates are self-made: what counts is that it is the known one.
        rejectUnauthorized: false,
      })
      const giveUp = (what: string) => () => call.destroy(new Error(what))
      const left = Math.max(0, until - performance.now())
      let timer = setTimeout(
        giveUp(`no connection within ${CONNECT_MS / 1000} s`),
        Math.min(left, CONNECT_MS),
      )
      call.on('socket', (socket) => {
        socket.once('secureConnect', () => {
          clearTimeout(timer)
          timer = setTimeout(
            giveUp('it did not begin to answer in time'),
            Math.max(0, until - performance.now()),
          )
          try {
            this.known.check(server, (socket as TLSSocket).getPeerCertificate().fingerprint256)
          } catch (error) {
            call.destroy(error as Error)
          }
        })
      })
      call.on('information', () => {
        clearTimeout(timer)
        timer = setTimeout(giveUp('it did not answer in time'), AT_WORK_MS)
      })
      call.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(timer)
        reject(error.code === 'ECONNREFUSED' ? new Error('netqd is not running there') : error)
      })
      call.on('response', (response) => {
        clearTimeout(timer)
        response.setTimeout(STALL_MS, giveUp('the answer stopped coming'))
        resolve(response)
      })
      call.end(body)
    })
  }
}

/** What a server says of why it cannot answer, without its full stop. */
async function beginningOf(response: IncomingMessage): Promise<string> {
  let text = ''
  response.setEncoding('utf8')
  for await (const part of response) {
    text += part
    if (text.length > REASON_LENGTH) break
  }
  return text.trim().slice(0, REASON_LENGTH).replace(/\.$/, '') || `status ${response.statusCode}`
}
