import { mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sentenceOf } from '../../src/platform/log.ts'
import { signalled } from '../signalled.ts'
import { Checker } from './check.ts'
import { Field } from './field.ts'
import { allFaults } from './kinds/all.ts'
import { type Options, optionsFrom } from './options.ts'
import { planRound } from './plan.ts'
import { RottenWatch } from './rotten.ts'
import { runRound } from './round.ts'
import { Summary } from './summary.ts'

const AGENTS = 5
const CHANGES_PER_SECOND = 25
/** This file is the bundle dist/fault-run.js in the folder of the run (faults.ts puts it there). */
const programs = import.meta.dirname
const folder = dirname(programs)

/** A field that a round left usable, or undefined where the next one needs a new one. */
type Live = { field: Field; checker: Checker; rotten: RottenWatch } | undefined

async function main(options: Options): Promise<number> {
  const { seed } = options
  const summary = new Summary(options)
  const interrupted = signalled()
  let over = false
  void interrupted.then(() => {
    over = true
  })
  const end = Date.now() + options.minutes * 60_000
  let live: Live
  const last = options.round + options.rounds - 1
  for (let round = options.round; round <= last && Date.now() < end && !over; round++) {
    const say = (line: string) => summary.say(round, line)
    try {
      live ??= await openField(round, say)
      const faults = allFaults(live.field.clocks !== undefined)
      const run = runRound({ ...live, faults, say }, planRound(seed, round, faults))
      const found = await Promise.race([run, interrupted])
      if (!found) break
      if (summary.add(round, found)) continue
    } catch (error) {
      summary.broken(round, sentenceOf(error))
    }
    if (live) await close(live, join(folder, `round-${round}`))
    live = undefined
  }
  if (live) await close(live)
  return summary.end(folder)
}

/** Three servers that are a cluster, and agents that push, on nothing that was there before. */
async function openField(round: number, say: (line: string) => void): Promise<NonNullable<Live>> {
  const place = join(folder, 'field')
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place)
  const field = new Field({
    folder: place,
    prefix: `nqt-${process.env.NETQ_TEST_RUN ?? 'faults'}-${process.pid}-${round}-`,
    programs,
    agents: { kind: 'agent', count: AGENTS, changesPerSecond: CHANGES_PER_SECOND },
  })
  if (!field.clocks)
    say('no clock jumps: this system has no libfaketime (Debian: apt-get install libfaketime)')
  try {
    await field.start()
    const checker = new Checker(field)
    await checker.progress(1, 20_000)
    return { field, checker, rotten: new RottenWatch(field) }
  } catch (error) {
    await field.end(join(folder, `round-${round}`))
    throw error
  }
}

/** @param keep where to put what there is of it, if it is to be looked at */
async function close({ field, rotten }: NonNullable<Live>, keep?: string): Promise<void> {
  rotten.stop()
  await field.end(keep)
  rmSync(join(folder, 'field'), { recursive: true, force: true })
}

const options = optionsFrom(process.argv.slice(2))
if (typeof options === 'string') throw new Error(options)
process.exitCode = await main(options)
process.exit()
