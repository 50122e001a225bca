import { createHash } from 'node:crypto'
import { realpathSync, statSync } from 'node:fs'
import { ConfigMistakes } from '../config/yml-file.ts'
import { readIfThere, replaceFile } from '../platform/files.ts'
import { type Log, sentenceOf } from '../platform/log.ts'
import type { Paths } from '../platform/paths.ts'
import {
  type NotifierSections,
  type NotifierSettings,
  readNotifierSections,
  withNotifierSections,
} from './config.ts'
import { type NotifierStore, Stale } from './store.ts'

/** What is to be done where netq.yml and the store are compared with what they last agreed on. */
export type Step = 'nothing' | 'agree' | 'publish' | 'adopt' | 'conflict'

/**
 * Whichever of the two differs from what they agreed on was changed; if both were, they are in conflict.
 * @param file the notifier's sections of this server's netq.yml ('' for none)
 * @param shared those in the store; undefined if nobody has published any
 * @param agreed digest of what both were at last; '' at first
 */
export function stepOf(file: string, shared: string | undefined, agreed: string): Step {
  if (file === (shared ?? '')) return digest(file) === agreed ? 'nothing' : 'agree'
  if (shared === undefined) return 'publish'
  if (digest(file) === agreed || (file === '' && agreed === '')) return 'adopt'
  return digest(shared) === agreed ? 'publish' : 'conflict'
}

/** What was read of this server at one moment. `file`: its netq.yml, '' if there is none. */
type Seen = { readonly agreed: string; readonly file: string } | { readonly problem: unknown }

/**
 * Keeps the notifier's sections of this server's netq.yml and the settings in the store, by which all servers work, the
 * same: the file is where an operator may change them by hand. In a conflict the store wins, and the file is kept beside.
 * Two processes of a server do so, the notifier and cts-auth, each whenever it looks.
 */
export class SettingsKeeper {
  private readonly paths: Paths
  private readonly log: Log
  /** What is wrong with the file, one line a mistake; the settings in the store then stay in force. */
  mistakes: readonly string[] = []

  constructor(paths: Paths, log: Log) {
    this.paths = paths
    this.log = log
  }

  /**
   * One look; returns the settings in force. Rejects only if the store does not answer: with whatever else is wrong, a
   * file that cannot be read or written for one, the settings in the store are in force, and `mistakes` says what.
   * @param local the store of this server
   * @param master opens the store where changes are published
   */
  async look(local: NotifierStore, master: () => Promise<NotifierStore>): Promise<NotifierSettings> {
    // Before the store, as the other process may be writing what it found there: what it has written is then never
    // older than what is found here, and not taken for an operator's change back to it.
    const seen = this.seen()
    const { version, text } = await local.settings()
    const shared = version > 0 ? text : undefined
    try {
      const published = await this.follow(seen, shared, (file) => this.publish(master, version, file))
      this.complain([])
      return settingsOf(published ?? shared ?? '')
    } catch (error) {
      const { netqConfig } = this.paths
      this.complain(
        error instanceof ConfigMistakes
          ? error.mistakes
          : [`${netqConfig} could not be compared with the settings of all servers: ${sentenceOf(error)}`],
      )
      return settingsOf(shared ?? '')
    }
  }

  /** Makes file and store the same; resolves to what it published, if it did. */
  private async follow(
    seen: Seen,
    shared: string | undefined,
    publish: (file: string) => Promise<void>,
  ): Promise<string | undefined> {
    if ('problem' in seen) throw seen.problem
    const { sections } = await readNotifierSections(seen.file, this.paths.netqConfig)
    const file = textOf(sections)
    // A file that is gone or has nothing in it was lost, or cut short by a full disk: nobody's wish.
    const step = stepOf(file, shared, seen.file === '' ? '' : seen.agreed)
    if (step === 'agree') this.agree(file)
    if (step === 'publish') {
      await publish(file)
      return file
    }
    if (step === 'conflict') this.keepBeside()
    if (step === 'conflict' || step === 'adopt') await this.write(shared!)
    return undefined
  }

  private seen(): Seen {
    try {
      return { agreed: this.agreed(), file: readIfThere(this.paths.netqConfig) ?? '' }
    } catch (problem) {
      return { problem }
    }
  }

  private complain(mistakes: readonly string[]): void {
    if (mistakes.length > 0 && mistakes.join() !== this.mistakes.join()) {
      for (const mistake of mistakes) this.log.error(mistake)
      this.log.error('The settings of the notifier stay as they were until this is corrected.')
    }
    this.mistakes = mistakes
  }

  private async publish(master: () => Promise<NotifierStore>, version: number, text: string): Promise<void> {
    const store = await master()
    try {
      const made = await store.publish(version, text)
      this.agree(text)
      this.log.info(`${this.paths.netqConfig} was changed: all servers use it from now on (version ${made})`)
    } catch (error) {
      // The next look finds what the others published, and decides again.
      if (!(error instanceof Stale)) throw error
    } finally {
      store.close()
    }
  }

  private async write(shared: string): Promise<void> {
    const path = this.paths.netqConfig
    const text = readIfThere(path)
    const sections = (shared === '' ? {} : JSON.parse(shared)) as NotifierSections
    const fresh = await withNotifierSections(text ?? '', sections)
    const target = text === undefined ? path : realpathSync(path)
    // Webhooks and keys are nobody's business.
    replaceFile(target, fresh, text === undefined ? 0o640 : statSync(target).mode & 0o770)
    this.agree(shared)
    this.log.info(`${path}: the notifier's sections are now those of all servers`)
  }

  private keepBeside(): void {
    const { netqConfig } = this.paths
    const kept = `${netqConfig}.${new Date().toISOString().slice(0, 19).replace(/[-:]/g, '')}`
    replaceFile(kept, readIfThere(netqConfig) ?? '', 0o600)
    this.log.warning(
      `${netqConfig} was changed here while another server changed the notifier too: theirs is in force, and this file is kept as ${kept}`,
    )
  }

  private agreed(): string {
    return readIfThere(this.paths.notifierAgreed) ?? ''
  }

  private agree(text: string): void {
    replaceFile(this.paths.notifierAgreed, digest(text))
  }
}

/** Sections as they are kept in the store: JSON, '' for none, and the same text for the same meaning. */
export function textOf(sections: NotifierSections): string {
  const inOrder = (_key: string, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1)))
      : value
  return Object.keys(sections).length === 0 ? '' : JSON.stringify(sections, inOrder)
}

/** Keys that a reader of netq.yml looks for first are first. */
const rank = (key: string) => ['name', 'type'].indexOf(key) >>> 0

/** Of a text of the store, which was valid when it was published (JSON is YAML). */
export async function settingsOf(text: string): Promise<NotifierSettings> {
  return (await readNotifierSections(text, 'the settings of all servers')).settings
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
