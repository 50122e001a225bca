/**
 * One agent in a process of its own, which may be killed at any moment and started again: the real agent over a made-up
 * node. What to be is the first argument, a Settings as JSON. A message `quiet` ends the changes and has what the node then
 * holds written to the journal; `resume` goes on with them. The agent ends when whoever started it does.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { Differ } from '../../src/agent/differ.ts'
import { tableNamed } from '../../src/tables/index.ts'
import { syntheticAgent } from '../synthetic.ts'
import type { Settings } from './agent-settings.ts'
import { JournalWriter } from './journal.ts'
import { PlainWriter } from './plain-writer.ts'

/** How much of the end of the journal is read for the last MTU: several seconds of changes, in bytes. */
const TAIL_BYTES = 256 * 1024

const settings = JSON.parse(process.argv[2]!) as Settings
const { host, root, servers, kind, life } = settings
const from = lastMtu(settings.journal) + 1
const journal = new JournalWriter(settings.journal)
journal.start(life)
const watch = {
  spooled: (batch: { prev: number; seq: number; payload: string }) => journal.spooled(batch),
  acknowledged: (seq: number, ip: string) => journal.acknowledgedBy(seq, ip),
}

if (kind === 'agent') {
  const { agent, quiet, resume, rows } = syntheticAgent({
    host,
    root,
    servers,
    changesPerSecond: settings.changesPerSecond,
    history: { watch: () => watch },
    // Its interfaces are those of the life before.
    from: Math.max(0, from - 40),
    flapping: true,
    logLevel: 'info',
  })
  process.on('message', (message) => {
    if (message === 'resume') return resume()
    quiet()
    const lines = new Differ().full(tableNamed('link')!, rows()).flatMap((payload) => payload.split('\n'))
    const held = lines.map((line) => line.split('\t')).filter(([op]) => op === 'S')
    journal.holds(new Map(held.map(([, table, key, row]) => [`${table}\t${key}`, row!])))
  })
  agent.start()
} else {
  let row = ''
  const spooled = (batch: { prev: number; seq: number; payload: string }) => {
    row = batch.payload.split('\t')[3]!
    watch.spooled(batch)
  }
  const writer = new PlainWriter(host, servers, { ...settings, watch: { ...watch, spooled } })
  process.on('message', async (message) => {
    if (message === 'resume') return writer.start()
    await writer.stop()
    journal.holds(new Map([['link\tswp1', row]]))
  })
  writer.start()
}
process.on('disconnect', () => process.exit())

/** The highest MTU that was made up before; -1 for none. */
function lastMtu(path: string): number {
  if (!existsSync(path)) return -1
  const file = openSync(path, 'r')
  const bytes = Buffer.alloc(Math.min(TAIL_BYTES, fstatSync(file).size))
  readSync(file, bytes, 0, bytes.length, fstatSync(file).size - bytes.length)
  closeSync(file)
  const mtus = [...bytes.toString('utf8').matchAll(/\\"mtu\\":(\d+)/g)].map(([, mtu]) => Number(mtu))
  return mtus.length === 0 ? -1 : Math.max(...mtus)
}
