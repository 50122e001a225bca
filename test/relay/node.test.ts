import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { LabServer } from '../../lab/server.ts'
import { SHOW_PORT } from '../../src/api/types.ts'
import { type Paths, pathsUnder } from '../../src/platform/paths.ts'
import { childServices, type Services } from '../../src/platform/services.ts'
import { freshAddresses } from '../support/addresses.ts'
import { until } from '../support/until.ts'

const program = join(import.meta.dirname, '../../dist/netq.cjs')

let folder: string
let servers: LabServer[]
let node: Paths
let nodeServices: Services
const addresses = freshAddresses()
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'no-'))
  // Two of the three that the node is told of: the first is down.
  servers = addresses
    .slice(1)
    .map((address, i) => new LabServer(`ts0${i + 2}`, address, join(folder, `ts0${i + 2}`)))
  node = pathsUnder(join(folder, 'node'))
  nodeServices = childServices(node)
  await Promise.all(servers.map((server) => server.start()))
})
afterEach(async () => {
  await nodeServices.stop('netqd')
  await Promise.all(servers.map((server) => server.stop()))
  rmSync(folder, { recursive: true, force: true })
})

/** `netq` as typed on the node. */
function netq(...words: string[]): Promise<{ status: number; out: string; err: string }> {
  const env = { ...process.env, NETQ_ROOT: node.root, NETQ_DEMO: '' }
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...words], { env }, (error, out, err) => {
      resolve({ status: error ? Number(error.code ?? 1) : 0, out, err })
    })
  })
}

/** What a server answers to a POST over the network, whatever its certificate is. */
function post(host: string, path: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host, port: SHOW_PORT, path, method: 'POST', rejectUnauthorized: false, agent: false }
    const call = request(options, async (reply) => resolve(`${reply.statusCode} ${await text(reply)}`))
    call.on('error', reject)
    call.end(body)
  })
}

it('netq on a node shows what the configured servers know, and changes nothing there', async () => {
  await nodeServices.start('netqd')
  await until(
    'netqd answers',
    10_000,
    async () => !(await netq('show', 'agents')).err.includes('not running'),
  )
  expect(await netq('show', 'agents')).toEqual({
    status: 1,
    out: '',
    err: 'This node was told of no telemetry server. To tell it: sudo netq config add server <ip>, or the three of a cluster.\n',
  })

  // The page's own words.
  expect(await netq('config', 'add', 'server', ...addresses)).toEqual({
    status: 0,
    out: 'Restarting netqd... Success!\n',
    err: '',
  })
  await until('a server answers through it', 20_000, async () => (await netq('show', 'agents')).status === 0)
  expect(await netq('show', 'agents')).toMatchObject({ status: 0, out: 'No matching agents records found\n' })
  expect(JSON.parse((await netq('show', 'interfaces', 'json')).out)).toEqual({
    link: [],
    truncatedResult: false,
  })

  // Known by the certificate whose fingerprint the server's own `show server <ip>` shows.
  const [line = ''] = readFileSync(node.knownServers, 'utf8').split('\n')
  const [known = '', fingerprint = ''] = line.split(' ')
  expect(addresses.slice(1)).toContain(known)
  const on = servers.find(({ address }) => address === known)!
  const { out } = await new Promise<{ out: string }>((resolve) => {
    const env = { ...process.env, NETQ_ROOT: on.paths.root, NETQ_DEMO: '' }
    execFile(process.execPath, [program, 'config', 'ts', 'show', 'server', known], { env }, (_, text) =>
      resolve({ out: text }),
    )
  })
  expect(out).toContain(fingerprint)

  // That server is lost; the other one is asked, and it is said.
  await on.stop()
  const after = await netq('show', 'agents')
  expect(after).toMatchObject({ status: 0, out: 'No matching agents records found\n' })
  expect(after.err).toContain(`${known} does not answer: netqd is not running there.\n`)

  const { status, err } = await netq('config', 'ts', 'add', 'server', ...addresses)
  expect(status).toBe(1)
  expect(err).toContain('netq: cts-auth on this server does not answer (not running: there is no ')
  expect(err).toContain('Nothing was changed.\nType it on a telemetry server')
})

it('over the network a server takes questions only, with the certificate that it has now', async () => {
  const [server] = servers as [LabServer, LabServer]
  const ask = (path: string, body: string) => post(server.address, path, body)
  await until('it answers', 20_000, async () => (await ask('/v1/alive', '')).startsWith('200'))
  expect(await ask('/v1/servers', '{"addresses":[]}')).toBe('404 There is nothing here but /v1/show.\n')
  expect(await ask('/v1/show', 'x')).toBe('400 The question is not well formed.\n')
  expect(await ask('/v1/show', '{"table":"link","show":0,"args":{"state":{}}}')).toContain('400 ')
  expect(await ask('/v1/show', '{"table":"../x","show":0,"args":{}}')).toContain(
    '400 this server has nothing called',
  )
  expect(await ask('/v1/show', `{"table":"${'x'.repeat(70_000)}"`)).toBe('413 The question is too long.\n')

  // The operator gives this server another identity: it is shown without a restart.
  const fingerprint = () => fingerprintOf(server.address)
  const before = await fingerprint()
  const { identityCertificate, identityKey } = server.paths
  const other = servers[1]!.paths
  renameSync(other.identityKey, identityKey)
  renameSync(other.identityCertificate, identityCertificate)
  await until('the other certificate is shown', 10_000, async () => (await fingerprint()) !== before)
})

function fingerprintOf(host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ host, port: SHOW_PORT, rejectUnauthorized: false, agent: false }, (reply) => {
      const { socket } = reply as unknown as { socket: import('node:tls').TLSSocket }
      resolve(socket.getPeerCertificate().fingerprint256)
      reply.resume()
    })
    call.on('error', reject)
    call.end()
  })
}
