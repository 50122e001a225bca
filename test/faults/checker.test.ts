import { describe, expect, it } from 'vitest'
import type { LogEntry } from '../../lab/faults/copy.ts'
import { type Copy, differences } from '../../lab/faults/copy.ts'
import type { Entry } from '../../lab/faults/journal.ts'
import { type Acknowledgement, AgentTruth } from '../../lab/faults/truth.ts'
import { NOTHING, type Permitted, type Walked, walk } from '../../lab/faults/walk.ts'
import { longestGap, twoWriters } from '../../lab/faults/writers.ts'

const MASTER = '10.0.0.5'
const row = (mtu: number) => `{"mtu":${mtu}}`
const change = (mtu: number) => `P\tlink\tswp${mtu % 2}\t${row(mtu)}`

/** An agent that made a full reading and then changes, one a batch, up to `last`, and had all of it acknowledged. */
function agent(last: number, acknowledged = last): AgentTruth {
  const entries: Entry[] = [{ what: 'start', time: 0, life: 1 }]
  for (let seq = 1; seq <= last; seq++) {
    const payload = seq === 1 ? reading : change(seq)
    entries.push({ what: 'made', time: seq * 10, prev: seq - 1, seq, payload })
    if (seq <= acknowledged) entries.push({ what: 'ok', time: seq * 10 + 5, seq, ip: MASTER })
  }
  const truth = new AgentTruth('a')
  truth.take(entries)
  return truth
}
const reading = `B\tlink\nS\tlink\tswp0\t${row(0)}\nS\tlink\tswp1\t${row(1)}\nE\tlink`

const entry = (prev: number, seq: number, lines: readonly string[]): LogEntry => {
  return { id: `${seq}-0`, host: 'a', prev, seq, lines, raw: `${prev} ${seq} ${lines.join()}` }
}
/** The log that such an agent has to have. */
function logOf(last: number): LogEntry[] {
  return Array.from({ length: last }, (_, i) =>
    i === 0
      ? entry(0, 1, [`P\tlink\tswp0\t${row(0)}`, `P\tlink\tswp1\t${row(1)}`])
      : entry(i, i + 1, [change(i + 1)]),
  )
}

const none: Permitted = { diskFull: false }
function walked(truth: AgentTruth, log: readonly LogEntry[], permitted = none): Walked {
  return walk(truth, log, log.at(-1)?.seq ?? 0, NOTHING, permitted)
}

describe('the walk along the log', () => {
  it('finds nothing wrong with a log that has everything once, and knows the state', () => {
    const { base, ...found } = walked(agent(5), logOf(5))
    expect(found).toMatchObject({ lost: 0, duplicated: 0, forgotten: 0, faults: [] })
    expect(base.mark).toBe(5)
    expect(base.model.rows.get('link\tswp1')).toBe(row(5))
  })

  it('goes on where it ended', () => {
    const { base } = walked(agent(3), logOf(3))
    expect(walk(agent(6), logOf(6).slice(3), 6, base, none).faults).toEqual([])
  })

  it('counts what was acknowledged and is missing in the middle', () => {
    const log = logOf(5).filter(({ seq }) => seq !== 3)
    const { lost, faults } = walked(agent(5), log)
    expect(lost).toBe(1)
    expect(faults).toEqual(['a: batch 3 is not in the log, which goes on behind it'])
  })

  it('counts what was acknowledged and is missing at the end', () => {
    const { lost, faults } = walked(agent(5), logOf(3))
    expect(lost).toBe(2)
    expect(faults).toEqual(["a: batch 5 is acknowledged, and the store's mark is 3"])
  })

  it('finds a batch that was applied twice, and one that comes too late', () => {
    const log = logOf(4)
    expect(walked(agent(4), [...log, log[2]!]).duplicated).toBe(1)
    const turned = [log[0]!, log[2]!, log[1]!, log[3]!]
    expect(walked(agent(4), turned).faults.join()).toContain('comes again or too late')
  })

  it('finds a change that was sent again under a new number', () => {
    const { duplicated, faults } = walked(agent(3), [...logOf(3), entry(3, 4, [change(3)])])
    expect(duplicated).toBe(1)
    expect(faults).toEqual(['a: batch 4 (entry 4-0) is not what it should be: nobody made it'])
  })

  it('finds an entry that is not what the function keeps of its batch', () => {
    const log = logOf(3)
    const { faults } = walked(agent(3), [log[0]!, entry(1, 2, [change(4)]), log[2]!])
    expect(faults.join()).toContain('batch 2 (entry 2-0) is not what it should be')
  })

  it('knows that a reading which changes nothing leaves no entry', () => {
    const truth = agent(1)
    truth.take([
      { what: 'start', time: 20, life: 2 },
      { what: 'made', time: 21, prev: 1, seq: 2, payload: reading },
      { what: 'ok', time: 22, seq: 2, ip: MASTER },
    ])
    expect(walk(truth, logOf(1), 2, NOTHING, none).faults).toEqual([])
  })

  it('believes the store for the one batch of a killed process that may lack in the journal, and for no other', () => {
    const truth = agent(2)
    truth.take([
      { what: 'start', time: 30, life: 2 },
      { what: 'made', time: 31, prev: 3, seq: 4, payload: change(4) },
      { what: 'ok', time: 32, seq: 4, ip: MASTER },
    ])
    expect(walked(truth, logOf(4)).faults).toEqual([])
    expect(walked(truth, [...logOf(4), entry(4, 5, [change(5)])]).faults.join()).toContain('nobody made it')
  })

  it('permits a gap for what a restore took back, and for nothing that came after it', () => {
    const log = [
      ...logOf(2),
      entry(2, 4, ['G\t3\t4\tthe store no longer has them']),
      entry(4, 5, [change(5)]),
    ]
    const before = walked(agent(5), log, { diskFull: false, restored: 45 })
    expect(before).toMatchObject({ lost: 0, forgotten: 2, faults: [] })
    expect(walked(agent(5), log, { diskFull: false, restored: 35 }).lost).toBe(2)
    expect(walked(agent(5), log).lost).toBe(2)
  })

  it('permits a gap of what was never acknowledged only where a disk was full', () => {
    const log = [...logOf(2), entry(2, 4, ['G\t3\t4\tthe disk was full'])]
    expect(walked(agent(4, 2), log, { diskFull: true }).faults).toEqual([])
    expect(walked(agent(4, 2), log).faults).toEqual([
      'a: there is a gap 3-4 (the disk was full), and no reason for one',
    ])
  })
})

describe('what an agent says', () => {
  it('moves batches that were made before the first connection to the numbers that they got', () => {
    const truth = new AgentTruth('a')
    const made = (time: number, seq: number): Entry => {
      return { what: 'made', time, prev: seq - 1, seq, payload: change(time) }
    }
    // The spool ended at 3, the store had 5: what was made meanwhile as 4 and 5 became 6 and 7.
    truth.take([{ what: 'start', time: 0, life: 1 }, made(1, 1), { what: 'ok', time: 2, seq: 3, ip: MASTER }])
    truth.take([made(3, 2), made(4, 3), { what: 'start', time: 5, life: 2 }, made(6, 4), made(7, 5)])
    truth.take([{ what: 'ok', time: 8, seq: 5, ip: MASTER }, made(9, 8)])
    const numbers = [...truth.made].map(([seq, [one]]) => `${seq}: ${one!.payload}`)
    expect(numbers.sort()).toEqual(
      [
        [1, 1],
        [2, 3],
        [3, 4],
        [6, 6],
        [7, 7],
        [8, 9],
      ].map(([seq, mtu]) => `${seq}: ${change(mtu!)}`),
    )
  })
})

describe('two writers', () => {
  const by = (ip: string, from: number, to: number): Acknowledgement => ({ ip, seq: 0, from, to })

  it('are seen where acknowledgements of two servers alternate', () => {
    expect(twoWriters([by('A', 0, 5), by('B', 10, 15), by('A', 20, 25)])).toHaveLength(1)
  })

  it('are not where the role went over, though an answer came late', () => {
    const acknowledgements = [by('A', 0, 5), by('A', 8, 60), by('B', 40, 50), by('B', 55, 65), by('A', 7, 70)]
    expect(twoWriters(acknowledgements)).toEqual([])
  })

  it('are not where the role went over and, later, back', () => {
    expect(twoWriters([by('A', 0, 5), by('B', 300, 310), by('A', 900, 910)])).toEqual([])
  })

  it('leave the gap between acknowledgements as it is', () => {
    expect(longestGap([by('A', 0, 100), by('B', 0, 2600), by('B', 0, 2700)], 50, 3000)).toBe(2500)
  })
})

describe('two copies', () => {
  const copy = (server: string, log: LogEntry[], rows: [string, string][]): Copy => ({
    server,
    length: log.length,
    log,
    applied: 3,
    marks: new Map([['a', 3]]),
    states: new Map([['a', new Map(rows)]]),
  })

  it('are equal, or the difference is named', () => {
    const rows: [string, string][] = [['link\tswp1', row(3)]]
    const whole = copy('ts01', logOf(3), rows)
    expect(differences(whole, copy('ts02', logOf(3), rows))).toEqual([])
    expect(differences(whole, copy('ts02', logOf(3).slice(0, 2), rows))).toEqual([
      'the logs of ts01 and ts02 have 3 and 2 entries',
      'the logs of ts01 and ts02 differ from entry 3-0 on (a, batch 3)',
    ])
    expect(differences(whole, copy('ts02', logOf(3), []))).toEqual([
      'the states of a on ts01 and ts02 differ in 1 rows',
    ])
  })
})
