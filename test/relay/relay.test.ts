import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, type Readable } from 'node:stream'
import { text as textOf } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Reply, showListener, textReply } from '../../src/api/show-listener.ts'
import { SHOW_PORT, type ShowRequest } from '../../src/api/types.ts'
import { type Identity, loadIdentity } from '../../src/cluster/identity.ts'
import type { Log } from '../../src/platform/log.ts'
import { pathsUnder } from '../../src/platform/paths.ts'
import { KnownServers } from '../../src/relay/known-servers.ts'
import { Relay } from '../../src/relay/relay.ts'
import { freshAddresses } from '../support/addresses.ts'

const question: ShowRequest = { table: 'link', show: 0, hostname: 'leaf*', args: { json: true, state: 'up' } }

let folder: string
let one: Identity
let other: Identity
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 're-'))
  one = loadIdentity(pathsUnder(join(folder, 'one')))
  other = loadIdentity(pathsUnder(join(folder, 'other')))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let servers: [string, string, string]
let file: string
let logged: string[]
let log: Log
const closers: (() => Promise<unknown>)[] = []
beforeEach(() => {
  servers = freshAddresses()
  file = join(folder, 'known_servers')
  logged = []
  const keep = (sentence: string) => logged.push(sentence)
  log = { debug: () => {}, info: keep, warning: keep, error: keep }
})
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
  rmSync(file, { force: true })
})

const relayTo = (...addresses: string[]) => new Relay(addresses, new KnownServers(file, log), log)

async function listen(server: Server, address: string): Promise<() => Promise<void>> {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.on('error', () => {})
  })
  server.listen({ host: address, port: SHOW_PORT })
  await once(server, 'listening')
  const close = async () => {
    for (const socket of open) socket.destroy()
    server.close()
    await once(server, 'close')
  }
  closers.push(() => (server.listening ? close() : Promise.resolve()))
  return close
}

/** The netqd of a server; keeps what it was asked. */
async function netqd(
  address: string,
  answer: (request: ShowRequest) => Promise<Reply>,
  { key, certificate }: Identity = one,
): Promise<{ asked: ShowRequest[]; close: () => Promise<void> }> {
  const asked: ShowRequest[] = []
  const listener = showListener((request) => {
    asked.push(request)
    return answer(request)
  }, log)
  const close = await listen(createServer({ key, cert: certificate }, listener), address)
  return { asked, close }
}

const says = (text: string) => async (): Promise<Reply> => ({
  status: 200,
  type: 'application/json',
  body: text,
})

/** An answer as the operator sees it. */
async function shown(
  reply: Reply,
): Promise<{ status: number; type: string; text: string; note: string | undefined }> {
  const { status, type, body, note } = reply
  return { status, type, text: typeof body === 'string' ? body : await textOf(body), note }
}

describe('a node asks', () => {
  it('the first server, what was asked of it, and hands its answer back', async () => {
    const { asked } = await netqd(servers[0], says('{"a": "ß"}'))
    const reply = await shown(await relayTo(...servers).show(question))
    expect(reply).toEqual({ status: 200, type: 'application/json', text: '{"a": "ß"}', note: undefined })
    expect(asked).toEqual([question])
    expect(readFileSync(file, 'utf8')).toBe(`${servers[0]} ${one.fingerprint}\n`)
  })

  it('the next server when one does not answer, says so, and goes on with that one', async () => {
    const second = await netqd(servers[1], says('second'))
    const relay = relayTo(...servers)
    expect(await shown(await relay.show(question))).toMatchObject({
      text: 'second',
      note: `${servers[0]} does not answer: netqd is not running there.\nThis is the answer of ${servers[1]}.`,
    })
    const first = await netqd(servers[0], says('first'))
    expect(await shown(await relay.show(question))).toMatchObject({ text: 'second', note: undefined })
    expect(first.asked).toEqual([])
    await second.close()
    expect(await shown(await relay.show(question))).toMatchObject({ text: 'first' })
  })

  it('the next server when one takes the connection and says nothing', async () => {
    await listen(
      createTcpServer(() => {}),
      servers[0],
    )
    await netqd(servers[1], says('second'))
    const start = performance.now()
    const reply = await shown(await relayTo(...servers).show(question))
    expect(reply.note).toContain(`${servers[0]} does not answer: no connection within 1 s.`)
    expect(performance.now() - start).toBeLessThan(4000)
  })

  it('a server that is at work on a large answer, for as long as that takes', async () => {
    const large = says('100,000 routes')
    await netqd(servers[0], () => new Promise((resolve) => setTimeout(() => resolve(large()), 5000)))
    expect(await shown(await relayTo(...servers).show(question))).toMatchObject({
      text: '100,000 routes',
      note: undefined,
    })
  })

  it('the next server when one cannot answer, but not when the question was wrong', async () => {
    await netqd(servers[0], () => Promise.reject(new Error('Redis does not answer.')))
    await netqd(servers[1], async () => textReply(400, '`x` is no address.'))
    const { asked } = await netqd(servers[2], says('third'))
    const reply = await shown(await relayTo(...servers).show(question))
    expect(reply).toMatchObject({ status: 400, text: '`x` is no address.\n' })
    expect(reply.note).toContain(
      `${servers[0]} does not answer: Redis does not answer.\nThis is the answer of ${servers[1]}`,
    )
    expect(asked).toEqual([])
  })

  it('all of them in vain, and says why of each', async () => {
    await netqd(servers[2], () => Promise.reject(new Error('Redis does not answer')))
    expect(await shown(await relayTo(...servers).show(question))).toEqual({
      status: 503,
      type: 'text/plain',
      text: `No telemetry server answers:\n  ${servers[0]} does not answer: netqd is not running there.\n  ${servers[1]} does not answer: netqd is not running there.\n  ${servers[2]} does not answer: Redis does not answer.\n`,
      note: undefined,
    })
  })

  it('for a long answer, which comes whole; one that breaks off is not taken for whole', async () => {
    const long = 'a line of a big table\n'.repeat(200_000)
    const { close } = await netqd(servers[0], says(long))
    const relay = relayTo(servers[0])
    expect((await shown(await relay.show(question))).text).toBe(long)
    await close()
    const half = new PassThrough()
    await netqd(servers[0], async () => ({ status: 200, type: 'text/plain', body: half }))
    half.write('the beginning')
    const reply = await relay.show(question)
    await once(reply.body as Readable, 'readable')
    half.destroy(new Error('Redis is gone'))
    await expect(shown(reply)).rejects.toThrow('aborted')
  })
})

describe('the certificate of a server', () => {
  it('is not believed when it is another than the first time; the next server is asked', async () => {
    const before = await netqd(servers[0], says('first'))
    const relay = relayTo(...servers)
    await shown(await relay.show(question))
    await before.close()
    const stranger = await netqd(servers[0], says('not what it was'), other)
    await netqd(servers[1], says('second'))
    const known = readFileSync(file, 'utf8')
    expect(await shown(await relay.show(question))).toMatchObject({
      status: 200,
      text: 'second',
      note: `${servers[0]} does not answer: its certificate is not the one of the first time, ${one.fingerprint}, but ${other.fingerprint}: if it was installed anew, remove its line from ${file}.\nThis is the answer of ${servers[1]}.`,
    })
    expect(readFileSync(file, 'utf8')).toBe(`${known}${servers[1]} ${one.fingerprint}\n`)
    expect(stranger.asked).toEqual([])
    // The operator does as he is told.
    writeFileSync(file, '')
    await shown(await relayTo(servers[0]).show(question))
    expect(stranger.asked).toEqual([question])
    expect(readFileSync(file, 'utf8')).toBe(`${servers[0]} ${other.fingerprint}\n`)
  })

  it('is believed by nobody while the file of known servers is damaged', async () => {
    const { asked } = await netqd(servers[0], says('first'))
    writeFileSync(file, `${servers[0]} ${one.fingerprint.slice(0, -1)}\n`)
    expect((await shown(await relayTo(servers[0]).show(question))).text).toContain(
      `${file}, line 1: not a server and its fingerprint`,
    )
    expect(asked).toEqual([])
  })

  it('is kept in memory where the file cannot be written', async () => {
    file = '/sys/netq-test/known_servers'
    const first = await netqd(servers[0], says('first'))
    const relay = relayTo(servers[0])
    expect((await shown(await relay.show(question))).text).toBe('first')
    expect(logged.join()).toContain('that is forgotten when netqd ends')
    await first.close()
    await netqd(servers[0], says('first'), other)
    expect((await shown(await relay.show(question))).text).toContain('not the one of the first time')
    expect(existsSync(file)).toBe(false)
  })
})
