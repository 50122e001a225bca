import { isIP } from 'node:net'
import { parsePrefix } from '../text/ip.ts'

/** What a value must look like: known by its name in the usage line. */
export interface Kind {
  accepts(word: string): boolean
  /** Completes `x is not ...`. */
  readonly is: string
  /**
   * Words that look like such a value, mistyped ones too. A plain value of the same line leaves them alone: it would
   * be taken for an interface's name, and the answer would be that nothing was found.
   */
  readonly resembles?: RegExp
}

const addressLike = /^(\d+\.[\d.]*|[\da-f.]*:[\da-f:.]*)(\/\d*)?$/i

const kinds: Readonly<Record<string, Kind>> = {
  ip: { accepts: (word) => isIP(word) !== 0, is: 'an IP address', resembles: addressLike },
  'ip/prefixlen': {
    accepts: (word) => word.includes('/') && parsePrefix(word) !== undefined,
    is: 'an address with a prefix length such as 10.0.0.0/24',
    resembles: addressLike,
  },
  mac: {
    accepts: (word) => /^[\da-f]{2}(:[\da-f]{2}){5}$/i.test(word),
    is: 'a MAC address such as 00:02:00:00:00:11',
    resembles: /^[\da-f]{1,4}([:.-][\da-f]{1,4}){2,5}$/i,
  },
  hostname: { accepts: (word) => /^[\w.*?[\]!-]+$/.test(word) && plain(word), is: 'a host name' },
}

/** The kind of a value by its name, or undefined where any word will do. `<1-4096>` is a whole number in that range. */
export function kindOf(name: string): Kind | undefined {
  const known = kinds[name]
  const range = known ? null : /^(\d+)-(\d+)$/.exec(name)
  if (!range) return known
  const [low, high] = [Number(range[1]), Number(range[2])]
  return {
    accepts: (word) => /^\d{1,15}$/.test(word) && Number(word) >= low && Number(word) <= high,
    is: `a number from ${low} to ${high}`,
  }
}

/** A word that is not empty and does not look like an option: netq has no options inside its commands. */
export function plain(word: string): boolean {
  return word !== '' && !word.startsWith('-')
}
