import { readIfThere, replaceFile } from '../platform/files.ts'
import { type Log, sentenceOf } from '../platform/log.ts'

/**
 * The certificates by which this node knows the servers: the one that a server showed first, a line each,
 * `<address> <SHA-256 of the certificate>`. An operator may remove a line, and write one in advance.
 */
export class KnownServers {
  private readonly file: string
  private readonly log: Log
  /** What could not be written to the file. */
  private readonly unwritten = new Map<string, string>()

  constructor(file: string, log: Log) {
    this.file = file
    this.log = log
  }

  /** Throws one sentence if this is not the certificate by which the server is known. A server seen first is known from now on. */
  check(address: string, fingerprint: string | undefined): void {
    if (!fingerprint) throw new Error('it showed no certificate')
    const known = this.read()
    const pinned = known.get(address) ?? this.unwritten.get(address)
    if (pinned === fingerprint) return
    if (pinned !== undefined) {
      throw new Error(
        `its certificate is not the one of the first time, ${pinned}, but ${fingerprint}: if it was installed anew, remove its line from ${this.file}`,
      )
    }
    this.log.info(`${address} is known by its certificate ${fingerprint} from now on`)
    try {
      const lines = [...known, [address, fingerprint]].map((line) => `${line.join(' ')}\n`)
      replaceFile(this.file, lines.join(''))
    } catch (error) {
      this.unwritten.set(address, fingerprint)
      this.log.warning(`that is forgotten when netqd ends: ${sentenceOf(error)}`)
    }
  }

  private read(): Map<string, string> {
    const known = new Map<string, string>()
    for (const [index, line] of (readIfThere(this.file) ?? '').split('\n').entries()) {
      if (line.trim() === '') continue
      const [, address, fingerprint] = /^(\S+) ([0-9A-F]{2}(?::[0-9A-F]{2}){31})$/.exec(line.trim()) ?? []
      if (!address || !fingerprint)
        throw new Error(`${this.file}, line ${index + 1}: not a server and its fingerprint`)
      known.set(address, fingerprint)
    }
    return known
  }
}
