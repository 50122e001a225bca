import { itemsOf, numberOf, objectsOf, required, textsOf } from './json.ts'
import type { Source } from './table.ts'

/** Ranges are kept as ranges: a trunk of 4,094 VLANs is one object a port, not 4,094. */
export const vlanSource: Source = {
  argv: ['bridge', '-compressvlans', '-j', 'vlan', 'show'],
  triggers: ['link'],
}

export interface PortVlans {
  /** `13` or `20-30`, by number. */
  readonly vlans: readonly string[]
  /** The VLAN of untagged frames that come in, if there is one. */
  readonly pvid: number | null
}

/** The VLANs of bridge ports by interface. Throws an Error with one sentence if the output is something else. */
export function vlansOf(output: string): Map<string, PortVlans> {
  const ports = itemsOf(output, vlanSource.argv).map((port): [string, PortVlans] => {
    const entries = objectsOf(port, 'vlans')
      .map((entry) => ({
        first: numberOf(entry, 'vlan') ?? 0,
        last: numberOf(entry, 'vlanEnd'),
        untagged: textsOf(entry, 'flags').includes('PVID'),
      }))
      .sort((a, b) => a.first - b.first)
    const vlans = entries.map(({ first, last }) => (last === undefined ? `${first}` : `${first}-${last}`))
    return [
      required(port, 'ifname', vlanSource.argv),
      { vlans, pvid: entries.find((one) => one.untagged)?.first ?? null },
    ]
  })
  return new Map(ports)
}
