import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Batch, SpoolOptions } from '../../src/agent/spool.ts'
import { Spool } from '../../src/agent/spool.ts'
import type { Log } from '../../src/platform/log.ts'
import type { Table } from '../../src/tables/table.ts'

/** A folder that is gone when the test is over. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'agent-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A log whose lines can be read: `WARNING: sentence`. */
export function recordingLog(): Log & { readonly lines: string[] } {
  const lines: string[] = []
  const at = (level: string) => (sentence: string) => void lines.push(`${level}: ${sentence}`)
  return {
    lines,
    debug: () => {},
    info: at('INFO'),
    warning: at('WARNING'),
    error: at('ERROR'),
  }
}

export const roomy: SpoolOptions = { capBytes: 64 << 20 }

export function openSpool(folder: string, options: SpoolOptions = roomy, log = recordingLog()): Spool {
  const spool = Spool.open(folder, options, log)
  onTestFinished(() => spool.close())
  return spool
}

/** Takes batches as the store does: only what follows the mark is applied. */
export class StoreDouble {
  mark = 0
  readonly applied: Batch[] = []

  /** Everything that the spool has for it. Throws if the spool offers what does not follow. */
  take(spool: Spool): void {
    for (let batches = this.next(spool); batches.length > 0; batches = this.next(spool)) {
      for (const batch of batches) this.apply(batch)
    }
  }

  apply(batch: Batch): void {
    if (batch.prev !== this.mark)
      throw new Error(`batch ${batch.seq} follows ${batch.prev}, the mark is ${this.mark}`)
    this.mark = batch.seq
    this.applied.push(batch)
  }

  get payloads(): string[] {
    return this.applied.map((batch) => batch.payload)
  }

  private next(spool: Spool): readonly Batch[] {
    return spool.after(this.mark, 7, 1 << 20)
  }
}

/** A table that reads one `name number` a line from a program's output. */
export function sampleTable(name: string, argv: readonly string[], triggers: readonly string[] = []): Table {
  return {
    name,
    sources: [{ argv, triggers }],
    fields: ['name', 'size'],
    keys: ['name'],
    parse: ([text]) =>
      (text ?? '')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => {
          const [word = '', size] = line.split(' ')
          if (size === undefined) throw new Error(`${name}: '${line}' is not a name and a size`)
          return { name: word, size: Number(size) }
        }),
    shows: [],
  }
}
