import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { MasterFinder } from '../../src/store/master-finder.ts'
import { REDIS_PORT, SENTINEL_PORT } from '../../src/store/names.ts'
import { freshAddresses } from '../support/addresses.ts'
import { until } from '../support/until.ts'

const servers: Server[] = []
const sockets = new Set<Socket>()
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  await Promise.all(servers.splice(0).map((server) => new Promise((done) => server.close(done))))
})

/** What listens where a Sentinel does (or on another port), and answers every question with this text, or never. @returns its connections */
async function listen(address: string, answer?: string, port = SENTINEL_PORT): Promise<Set<Socket>> {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    sockets.add(socket)
    socket.on('close', () => open.delete(socket))
    socket.on('error', () => {})
    socket.on('data', () => answer !== undefined && socket.write(answer))
  })
  servers.push(server)
  await new Promise<void>((done) => server.listen(port, address, done))
  return open
}

test('keeps one connection to a Sentinel that does not answer, however often it asks, and none when it ends', async () => {
  const [a, b, c] = freshAddresses()
  const nobody = `*2\r\n$${c.length}\r\n${c}\r\n$4\r\n${REDIS_PORT}\r\n`
  const silent = await listen(a)
  const answering = [await listen(b, nobody), await listen(c, nobody)]
  const warnings: string[] = []
  const note = ({ name }: Error) => warnings.push(name)
  process.on('warning', note)
  const finder = new MasterFinder([a, b, c], REDIS_PORT)
  const end = Date.now() + 2500
  while (Date.now() < end) {
    await expect(finder.find()).rejects.toThrow(`${c}: ${c}:${REDIS_PORT} refused the connection`)
    expect(silent.size).toBeLessThanOrEqual(2)
  }
  finder.close()
  await until('all connections are closed', 2000, () =>
    [silent, ...answering].every(({ size }) => size === 0),
  )
  process.off('warning', note)
  expect(warnings).toEqual([])
})

test('an agent that was away when HA was turned off finds the server that went on alone, if it knows its cluster', async () => {
  const [a, b, c] = freshAddresses()
  await listen(b, '*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n', REDIS_PORT)
  const stranger = new MasterFinder([a, b, c], REDIS_PORT)
  await expect(stranger.find()).rejects.toThrow(/Sentinel at .* refused the connection/)
  const member = new MasterFinder([a, b, c], REDIS_PORT, undefined, () => true)
  await until('it is found', 10_000, async () => {
    const { ip, redis } = await member.find()
    redis.disconnect()
    return ip === b
  })
  // While a Sentinel names anybody, the master is for the Sentinels to say.
  const nobody = `*2\r\n$${c.length}\r\n${c}\r\n$4\r\n${REDIS_PORT}\r\n`
  await listen(a, nobody)
  for (let i = 0; i < 20; i++) await expect(member.find()).rejects.toThrow(/Sentinel at/)
})
