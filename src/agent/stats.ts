import { existsSync, readFileSync } from 'node:fs'

/** How often the counters are read, in milliseconds. */
export const SAMPLE_EVERY_MS = 15_000

/** Where the counters are in a line of /proc/net/dev, counted from behind the interface's name. */
const places: readonly (readonly [counter: string, place: number])[] = [
  ['rx_bytes', 0],
  ['rx_packets', 1],
  ['rx_errs', 2],
  ['rx_drop', 3],
  ['rx_frame', 5],
  ['rx_multicast', 7],
  ['tx_bytes', 8],
  ['tx_packets', 9],
  ['tx_errs', 10],
  ['tx_drop', 11],
  ['tx_colls', 13],
  ['tx_carrier', 14],
]

/** A switch port or breakout port, and the one interface of a container. */
const PORT = /^(swp\d+(s\d+)?|eth\d+)$/
/** What the store takes as the name of an interface. Physical ones are never called anything else. */
const NAME = /^[\w.@+-]{1,64}$/

/**
 * Whether an interface counts as physical: the kernel knows a device behind it (PCI, virtio, USB ...), or it is called
 * like a port. Names are needed because the ports of some ASICs are tun devices, and a container's eth0 is one end of a
 * veth pair, whose other end, on the host, is called anything but a port.
 */
export function isPhysical(name: string, hasDevice: (name: string) => boolean): boolean {
  return NAME.test(name) && (PORT.test(name) || hasDevice(name))
}

/**
 * The lines of a batch (docs/architecture.md) for one reading of /proc/net/dev. Counters are copied digit for digit, as
 * 64 bits are more than a JavaScript number holds; those at 0, which most are, are left out.
 */
export function sampleLines(procNetDev: string, wanted: (name: string) => boolean): string[] {
  return procNetDev.split('\n').flatMap((line) => {
    const [, name, rest] = /^\s*([^\s:]+):\s*(.*)$/.exec(line) ?? []
    if (name === undefined || rest === undefined || !wanted(name)) return []
    const fields = rest.trim().split(/\s+/)
    if (fields.length < 16 || !fields.every((field) => /^\d+$/.test(field))) return []
    const counters = places.filter(([, place]) => fields[place] !== '0')
    const json = counters.map(([counter, place]) => `"${counter}":${fields[place]}`).join(',')
    return [`A\tinterface-stats\t${name}\t{${json}}`]
  })
}

/** One sample of every physical interface of this node (of this network namespace). */
export function readSample(): string[] {
  return sampleLines(readFileSync('/proc/net/dev', 'utf8'), (name) =>
    isPhysical(name, (one) => existsSync(`/sys/class/net/${one}/device`)),
  )
}
