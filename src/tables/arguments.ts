import { covers, hasHostBits, type Prefix, parsePrefix } from '../text/ip.ts'
import type { Arguments } from './table.ts'

/** The text of an argument, or undefined if it was not given. */
export function word(args: Arguments, name: string): string | undefined {
  const value = args[name]
  return typeof value === 'string' ? value : undefined
}

/** Whether a value is the one that was asked for, or none was. */
export function isAsked(asked: string | number | undefined, value: unknown): boolean {
  return asked === undefined || asked === value
}

/**
 * The argument `<ip>` or `<ip/prefixlen>`, or undefined if neither was given.
 * Throws an Error with one sentence if it is not an address or prefix of this version.
 */
export function prefixArgument(args: Arguments, version: 4 | 6): Prefix | undefined {
  const text = word(args, 'ip') ?? word(args, 'ip/prefixlen')
  if (text === undefined) return undefined
  const prefix = parsePrefix(text)
  if (!prefix)
    throw new Error(`"${text}" is not an IPv${version} address or prefix, so nothing was looked up`)
  if (prefix.version !== version) {
    const other = prefix.version === 4 ? 'ip' : 'ipv6'
    throw new Error(
      `${text} is an IPv${prefix.version} address, so nothing was looked up: use "show ${other} ..."`,
    )
  }
  return prefix
}

/**
 * Whether an interface's address is asked for: an address (however long its prefix on the interface), an address with
 * its prefix length, or a prefix, which asks for every address in it.
 */
export function addressIsAsked(asked: Prefix | undefined, address: Prefix): boolean {
  if (!asked) return true
  if (hasHostBits(asked)) return asked.bits === address.bits && asked.length === address.length
  return covers(asked, { ...address, length: address.version === 4 ? 32 : 128 })
}

/** The argument `<mac>` in the kernel's spelling. Throws an Error with one sentence if it is no MAC address. */
export function macArgument(args: Arguments): string | undefined {
  const text = word(args, 'mac')?.toLowerCase()
  if (text !== undefined && !/^[\da-f]{2}(:[\da-f]{2}){5}$/.test(text))
    throw new Error(`"${text}" is not a MAC address such as 44:38:39:00:00:5d, so nothing was looked up`)
  return text
}

/** The argument `<1-4096>` of `vlan`. Throws an Error with one sentence if it is no such number. */
export function vlanArgument(args: Arguments): number | undefined {
  const text = word(args, '1-4096')
  if (text === undefined) return undefined
  const vlan = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (vlan < 1 || vlan > 4096)
    throw new Error(`"${text}" is not a VLAN number from 1 to 4096, so nothing was looked up`)
  return vlan
}
