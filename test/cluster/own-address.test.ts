import { expect, it } from 'vitest'
import { ownAddress } from '../../src/cluster/own-address.ts'
import type { Log } from '../../src/platform/log.ts'

const said: string[] = []
const say = (sentence: string) => {
  said.push(sentence)
}
const log: Log = { debug: say, info: say, warning: say, error: say }
const list = (...order: string[]) => ({ clusterId: '', generation: 0, formed: false, order })

it("a server's address is the one of its list that its machine has; without a list it has none", async () => {
  const desired = list('192.0.2.5', '127.0.0.1', '192.0.2.7')
  expect(await ownAddress({ desired, left: undefined }, log)).toBe('127.0.0.1')
  expect(await ownAddress({ desired: undefined, left: list('127.0.0.1') }, log)).toBe('127.0.0.1')
  expect(await ownAddress({ desired: undefined, left: undefined }, log)).toBeUndefined()
  expect(said).toEqual([])
})

it('a machine that has none of the addresses waits for its network, and then says so', async () => {
  const desired = list('192.0.2.5', '192.0.2.6', '192.0.2.7')
  await expect(ownAddress({ desired, left: undefined }, log, 300)).rejects.toThrow(
    /^none of 192\.0\.2\.5, 192\.0\.2\.6, 192\.0\.2\.7 is an address of this machine \(.*127\.0\.0\.1.*\)\. Nothing was changed/,
  )
  expect(said).toEqual([expect.stringMatching(/ yet; waiting for the network$/)])
})
