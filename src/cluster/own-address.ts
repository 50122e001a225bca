import { networkInterfaces } from 'node:os'
import type { Log } from '../platform/log.ts'
import type { ClusterState } from './state.ts'

/** How long a server waits at its start until its network has its address, in milliseconds. */
const NETWORK_MS = 20_000

/**
 * The address by which the other servers know this one: the one of the operator's list that is an address of this
 * machine. Undefined as long as no list names it; a single server listens on all of its addresses.
 * At boot the network may come later than this: it is waited for.
 * @param waitMs how long, in milliseconds
 * @throws a sentence if the machine has none of the addresses by then
 */
export async function ownAddress(
  state: Pick<ClusterState, 'desired' | 'left'>,
  log: Log,
  waitMs = NETWORK_MS,
): Promise<string | undefined> {
  const known = [...(state.desired?.order ?? []), ...(state.left?.order ?? [])]
  if (known.length === 0) return undefined
  const end = performance.now() + waitMs
  for (let told = false; ; told = true) {
    const own = localAddresses()
    const address = known.find((ip) => own.includes(ip))
    if (address !== undefined) return address
    const sentence = `none of ${known.join(', ')} is an address of this machine (${own.join(', ')})`
    if (performance.now() > end) {
      throw new Error(
        `${sentence}. Nothing was changed: give it back its address, or replace this server on the others`,
      )
    }
    if (!told) log.warning(`${sentence} yet; waiting for the network`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

/** The IPv4 addresses of this machine. */
export function localAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).filter((a) => a.family === 'IPv4').map((a) => a.address),
  )
}
