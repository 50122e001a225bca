/**
 * An agent that is killed: `node spool-crash-child.ts <folder>`. It opens folder/spool, compares with the
 * store (the file `store`: one JSON batch a line, in the order applied), and then appends and sends until it
 * is killed. `made` gets each payload after append() returned; `sent` each batch before the store gets it.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Spool } from '../../src/agent/spool.ts'
import { readIfThere } from '../../src/platform/files.ts'
import { makeLog } from '../../src/platform/log.ts'

const folder = process.argv[2]!
const at = (name: string) => join(folder, name)
// A kill may tear the last line of a file; the next life must not write behind the torn half.
for (const name of ['made', 'sent', 'store'])
  if (!/(^|\n)$/.test(readIfThere(at(name)) ?? '')) appendFileSync(at(name), '\n')

const store = readIfThere(at('store')) ?? ''
let mark = 0
for (const line of store.split('\n')) {
  try {
    mark = JSON.parse(line).seq
  } catch {
    // torn: not applied
  }
}
const capBytes = Number(readFileSync(at('cap'), 'utf8'))
const log = makeLog('child', 'error')
const spool = Spool.open(at('spool'), { capBytes, segmentBytes: 700 }, log)
const random = (below: number) => Math.floor(Math.random() * below)
let count = 0
const append = () => {
  const payload = `${process.pid}.${process.hrtime.bigint()}.${++count} ${'x'.repeat(random(200))}`
  spool.append(Date.now(), payload)
  appendFileSync(at('made'), `${payload}\n`)
}

// Before the store is known, some lives make batches, and some of these end here.
for (let i = random(20); i > 0; i--) append()
if (random(4) > 0) {
  spool.reconcile(mark)
  // Some lives make nothing more: what they send was all numbered before the store was known.
  const makes = random(3) > 0
  for (;;) {
    for (let i = makes ? random(10) : 0; i > 0; i--) append()
    for (const batch of spool.after(mark, random(12), 3000)) {
      appendFileSync(at('sent'), `${JSON.stringify(batch)}\n`)
      if (batch.prev !== mark)
        throw new Error(`batch ${batch.seq} follows ${batch.prev}, the mark is ${mark}`)
      appendFileSync(at('store'), `${JSON.stringify(batch)}\n`)
      mark = batch.seq
    }
    if (random(3) === 0) spool.trim(mark - random(10))
  }
}
for (;;) append()
