import { isIPv4, isIPv6 } from 'node:net'

/** An address (its length is then that of the whole address) or a prefix. `bits` may have host bits set. */
export interface Prefix {
  readonly version: 4 | 6
  readonly bits: bigint
  readonly length: number
}

/** `10.0.0.1`, `10.0.0.0/24`, `2001:db8::1`, `2001:db8::/64`; undefined for anything else, zones (`%swp1`) too. */
export function parsePrefix(text: string): Prefix | undefined {
  const [address = '', length, ...rest] = text.split('/')
  const version = isIPv4(address) ? 4 : isIPv6(address) && !address.includes('%') ? 6 : undefined
  if (!version || rest.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length))) return undefined
  const whole = version === 4 ? 32 : 128
  const taken = length === undefined ? whole : Number(length)
  if (taken > whole) return undefined
  return { version, bits: version === 4 ? bitsOf4(address) : bitsOf6(address), length: taken }
}

/** Whether every address of `inner` lies in `outer`. */
export function covers(outer: Prefix, inner: Prefix): boolean {
  return (
    outer.version === inner.version &&
    outer.length <= inner.length &&
    network(outer) === shifted(inner, outer)
  )
}

/** Whether bits are set beyond the prefix length, as in an interface's `10.0.0.1/24`. */
export function hasHostBits(prefix: Prefix): boolean {
  return network(prefix) << hostBits(prefix) !== prefix.bits
}

function hostBits({ version, length }: Prefix): bigint {
  return BigInt((version === 4 ? 32 : 128) - length)
}

function network(prefix: Prefix): bigint {
  return prefix.bits >> hostBits(prefix)
}

function shifted(inner: Prefix, outer: Prefix): bigint {
  return inner.bits >> hostBits(outer)
}

function bitsOf4(address: string): bigint {
  return BigInt(address.split('.').reduce((bits, byte) => bits * 256 + Number(byte), 0))
}

function bitsOf6(address: string): bigint {
  const [head = '', tail] = address.split('::')
  const before = groupsOf(head)
  const after = tail === undefined ? [] : groupsOf(tail)
  const zeros = Array<string>(8 - before.length - after.length).fill('0')
  return BigInt(`0x${[...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join('')}`)
}

/** The 16-bit groups of one side of `::` as hexadecimal texts; an IPv4 tail makes two. */
function groupsOf(side: string): string[] {
  if (side === '') return []
  return side.split(':').flatMap((group) => {
    if (!group.includes('.')) return [group]
    const bits = bitsOf4(group)
    return [(bits >> 16n).toString(16), (bits & 0xffffn).toString(16)]
  })
}
