import { randomInt } from 'node:crypto'

/** Three addresses on the loopback that no other test has: ports can then be those of the page. */
export function freshAddresses(): [string, string, string] {
  const net = `127.${randomInt(20, 250)}.${randomInt(1, 250)}`
  return [`${net}.5`, `${net}.6`, `${net}.7`]
}
