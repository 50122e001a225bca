import { afterEach, beforeEach, expect, test } from 'vitest'
import { connect } from '../../src/store/connection.ts'
import { REDIS_PORT } from '../../src/store/names.ts'
import { SharedConnection } from '../../src/store/shared-connection.ts'
import { startStore } from '../support/redis.ts'
import { until } from '../support/until.ts'

let store: Awaited<ReturnType<typeof startStore>>
let shared: SharedConnection
beforeEach(async () => {
  store = await startStore()
  shared = new SharedConnection(() => connect({ host: store.address, port: REDIS_PORT }))
})
afterEach(() => store.stop())

/** How many connections of the network's user Redis has. */
async function connections(): Promise<number> {
  const list = String(await store.admin.call('CLIENT', 'LIST'))
  return list.split('\n').filter((line) => / user=default /.test(line)).length
}

test('all who ask at once get one connection, and a new one when it has ended', async () => {
  const [first, ...others] = await Promise.all([1, 2, 3].map(() => shared.get()))
  expect(new Set([first, ...others]).size).toBe(1)
  expect(await connections()).toBe(1)
  first!.disconnect()
  await until('it has ended', 2000, () => first!.status === 'end')
  const [second, third] = await Promise.all([shared.get(), shared.get()])
  expect(second).toBe(third)
  expect(second).not.toBe(first)
  expect(await second!.ping()).toBe('PONG')
  shared.close()
  await until('none is left', 2000, async () => (await connections()) === 0)
})

test('one that is being opened when it is closed does not stay open', async () => {
  const opening = shared.get()
  shared.close()
  await opening
  await until('none is left', 2000, async () => (await connections()) === 0)
})

test('a server that is not there is a sentence, and asked anew the next time', async () => {
  let port = 1
  const other = new SharedConnection(() => connect({ host: store.address, port }))
  await expect(other.get()).rejects.toThrow(`${store.address}:1 refused the connection (not running)`)
  port = REDIS_PORT
  expect(await (await other.get()).ping()).toBe('PONG')
  other.close()
})
