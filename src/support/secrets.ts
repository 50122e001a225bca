import { createHash } from 'node:crypto'
import type { Secrets } from '../config/secrets.ts'

/** What is put in the place of a secret. */
const HIDDEN = '<hidden>'
/** A secret that is shorter would take common words with it. */
const LEAST = 6

/** Keys of netq.yml, and of what the store has of it, whose values are nobody's business. */
const KEYS = /^(.*(password|secret|token|api_?\w*key|webhook|headers?|authorization).*|url)$/i

/** What is a secret by where it stands: for files that could not be learned from, and logs that repeat an address. */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/(["']?[\w-]*(?:password|secret|token|api_?\w*key|webhook)[\w-]*["']?\s*:\s*)\S.*$/gim, `$1${HIDDEN}`],
  [/^((?:masterauth|requirepass|sentinel (?:auth-pass \S+|sentinel-pass)) ).*$/gm, `$1${HIDDEN}`],
  [/#[0-9a-f]{64}\b/g, `#${HIDDEN}`],
  [/\bnq:[0-9a-f]{24}:/g, `nq:${HIDDEN}:`],
  [/(\/\/)[^\s/@:]+:[^\s/@]+@/g, `$1${HIDDEN}@`],
  [/hooks\.slack\.com\/\S+/g, `hooks.slack.com/${HIDDEN}`],
]

/**
 * Takes secrets out of texts: the cluster's own wherever they stand, in the clear or as Redis keeps them, and the values
 * of telling keys of the configuration, there and in every other text.
 */
export class Redactor {
  private readonly known = new Set<string>()

  constructor(secrets: Secrets | undefined) {
    for (const secret of Object.values(secrets ?? {}) as string[]) {
      this.learn(secret)
      this.learn(createHash('sha256').update(secret).digest('hex'))
    }
  }

  /** Learns the secrets of a configuration (netq.yml, parsed): what is under a telling key is one, however deep. */
  learnFrom(value: unknown, key = ''): void {
    if (Array.isArray(value)) for (const item of value) this.learnFrom(item, key)
    else if (value !== null && typeof value === 'object') {
      for (const [name, inner] of Object.entries(value)) this.learnFrom(inner, KEYS.test(key) ? key : name)
    } else if (KEYS.test(key)) this.learn(String(value))
  }

  /** The same of a text that cannot be parsed: what stands behind a telling word and a colon. */
  learnFromText(text: string): void {
    const pairs = text.matchAll(/([\w-]+)["']?\s*:\s*(?:"([^"]*)"|'([^']*)'|([^\s,}]+))/g)
    for (const [, key = '', ...values] of pairs) if (KEYS.test(key)) this.learn(values.join(''))
  }

  /** The text without any secret that is known. */
  clean(text: string): string {
    let clean = text
    for (const secret of [...this.known].sort((a, b) => b.length - a.length))
      clean = clean.replaceAll(secret, HIDDEN)
    return PATTERNS.reduce((text, [pattern, by]) => text.replace(pattern, by), clean)
  }

  private learn(secret: string): void {
    if (secret.length < LEAST) return
    this.known.add(secret)
    // As it stands in JSON, and in an address.
    this.known.add(JSON.stringify(secret).slice(1, -1))
    this.known.add(encodeURIComponent(secret))
  }
}
