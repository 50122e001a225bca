import { isIPv4, isIPv6 } from 'node:net'
import { printable } from '../text/table.ts'

/** Which command's servers: those of the cluster (exactly three), or those that an agent reports to (one or three). */
export type ServersOf = 'ts' | 'agent'

const usage: Readonly<Record<ServersOf, string>> = {
  ts: 'netq config ts add server <ip-master> <ip-replica> <ip-replica>',
  agent: 'netq config add server <ip>, or all three of a cluster: netq config add server <ip> <ip> <ip>',
}

/**
 * The addresses of telemetry servers as an operator typed them: IPv4 only, all different, as many as are needed.
 * A problem is one text for the operator: what was wrong, that nothing was changed, and what to type.
 */
export function validateServers(
  words: readonly string[],
  servers: ServersOf = 'ts',
): { addresses: string[] } | { problem: string } {
  const wrong = whatIsWrong(words, servers)
  if (wrong === undefined) return { addresses: [...words] }
  return { problem: `${wrong}. Nothing was changed. Type: ${usage[servers]}` }
}

/** What is wrong with the addresses, as a sentence without its full stop; undefined if nothing is. */
export function whatIsWrong(words: readonly string[], servers: ServersOf): string | undefined {
  for (const word of words) {
    const wrong = whatIsWrongWith(word)
    if (wrong) return wrong
  }
  const twice = words.find((word, index) => words.indexOf(word) < index)
  if (twice) return `${twice} is given twice: every server needs an address of its own`
  if (words.length === 3 || (servers === 'agent' && words.length === 1)) return undefined
  const given = words.length === 1 ? '1 address was given' : `${words.length} addresses were given`
  return servers === 'ts'
    ? `${given}, and a cluster has exactly three: the master first, then both replicas`
    : `${given}, and an agent reports to one server or to the three of a cluster`
}

function whatIsWrongWith(word: string): string | undefined {
  const shown = word === '' ? 'an empty word' : printable(word).slice(0, 80)
  if (isIPv4(word)) {
    const first = Number(word.split('.')[0])
    if (word === '255.255.255.255') return `${shown} is the broadcast address, not a server's`
    if (first === 0) return `${shown} is not the address of a server`
    if (first >= 224 && first < 240) return `${shown} is a multicast address, not a server's`
    if (first >= 240) return `${shown} is a reserved address, not a server's`
    return undefined
  }
  if (isIPv6(word)) return `${shown} is an IPv6 address, and only IPv4 addresses can be used here`
  if (word.includes(',')) return `${shown} holds a comma: put spaces between the addresses`
  if (/^[\d.]+(:\d+|\/\d+)$/.test(word))
    return `${shown} is more than an IPv4 address: leave out what follows it`
  if (/^[\d.]*$/.test(word)) return `${shown} is not an IPv4 address, which is four numbers from 0 to 255`
  return `${shown} is not an IPv4 address. You cannot use DNS names here`
}
