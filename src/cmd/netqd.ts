import { mkdirSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { fastify } from 'fastify'
import type { ShowRequest } from '../api/types.ts'
import { readSecrets } from '../config/secrets.ts'
import { makeLog, sentenceOf } from '../platform/log.ts'
import { type Paths, pathsUnder } from '../platform/paths.ts'
import { onStopSignal, Releasers } from '../platform/releasers.ts'
import { BadRequest, show } from '../query/show.ts'
import { READER, REDIS_PORT } from '../store/names.ts'
import { LocalReader } from '../store/reader.ts'
import { VERSION } from '../version.ts'

const log = makeLog('netqd')
const releasers = new Releasers()

async function main(): Promise<void> {
  const paths = pathsUnder(process.env.NETQ_ROOT ?? '/')
  const readers = new Readers(paths, process.env.NETQ_ADDRESS)
  releasers.add('the connection to Redis', () => readers.close())
  const server = fastify({ bodyLimit: 64 * 1024, forceCloseConnections: true })
  server.setErrorHandler(async (error, _call, reply) => {
    const mistake = error instanceof BadRequest
    if (!mistake) log.warning(sentenceOf(error))
    return reply
      .code(mistake ? 400 : 503)
      .type('text/plain')
      .send(`${sentenceOf(error)}\n`)
  })
  server.post<{ Body: ShowRequest }>('/v1/show', async (call, reply) => {
    const { type, body } = await show(call.body, readers.current(), Date.now())
    return reply.type(type === 'json' ? 'application/json' : 'text/plain').send(body)
  })
  mkdirSync(dirname(paths.netqdSocket), { recursive: true })
  rmSync(paths.netqdSocket, { force: true })
  await server.listen({ path: paths.netqdSocket })
  releasers.add('the socket', () => server.close())
  log.info(`started, version ${VERSION}`)
}

/** The reader with the log-in of now: a server that joins a cluster takes that cluster's secrets. */
class Readers {
  private readonly paths: Paths
  private readonly address: string | undefined
  private reader: LocalReader | undefined
  private changed = 0

  constructor(paths: Paths, address: string | undefined) {
    this.paths = paths
    this.address = address
  }

  current(): LocalReader {
    const changed = statSync(this.paths.secrets, { throwIfNoEntry: false })?.mtimeMs ?? 0
    if (this.reader && changed === this.changed) return this.reader
    const secrets = readSecrets(this.paths)
    if (!secrets) throw new Error('this server is not set up yet: cts-auth has not run on it')
    this.close()
    this.changed = changed
    const login = { username: READER, password: secrets.reader }
    const local = this.address === undefined ? {} : { localAddress: this.address }
    const target = { host: this.address ?? '127.0.0.1', port: REDIS_PORT, login, commandMs: 5000, ...local }
    this.reader = new LocalReader(target, secrets.prefix)
    return this.reader
  }

  close(): void {
    this.reader?.close()
    this.reader = undefined
  }
}

onStopSignal(() => releasers.releaseAll(log))
main().catch(async (error: unknown) => {
  log.error(`cannot start: ${sentenceOf(error)}`)
  await releasers.releaseAll(log)
  process.exit(1)
})
