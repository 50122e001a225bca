import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Received {
  readonly id: string
  readonly type: string
  readonly severity: string
  readonly hostname: string
  readonly message: string
  readonly subject: string
}

export const SECRET = 'a secret of this test'

/** A receiver of the notifier's webhook, as its users would write one: it checks the signature and keeps the ids. */
export class WebhookReceiver {
  /** Every event that came, repeats too, in order. */
  readonly events: Received[] = []
  badSignatures = 0
  /** Asked before each answer; 200 takes the events. */
  answer: () => number = () => 200
  url = ''
  private readonly server = createServer((request, reply) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      const stamp = String(request.headers['x-netq-timestamp'])
      const right = `sha256=${createHmac('sha256', SECRET).update(`${stamp}.`).update(body).digest('hex')}`
      const given = Buffer.from(String(request.headers['x-netq-signature']))
      if (given.length !== right.length || !timingSafeEqual(given, Buffer.from(right)))
        this.badSignatures += 1
      const status = this.answer()
      if (status === 200) this.events.push(...(JSON.parse(body.toString()) as { events: Received[] }).events)
      reply.writeHead(status).end()
    })
  })

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve))
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/hook`
  }

  /** How many events came more than once. */
  get repeats(): number {
    return this.events.length - new Set(this.events.map(({ id }) => id)).size
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }
}
