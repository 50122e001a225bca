import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { Collector } from '../../src/agent/collector.ts'
import { Group } from '../../src/agent/group.ts'
import { Reporter } from '../../src/agent/reporter.ts'
import { readIfThere } from '../../src/platform/files.ts'
import type { Row, Table } from '../../src/tables/table.ts'
import { freshFolder, recordingLog, sampleTable } from './helpers.ts'

const deadline = { timeout: 5000, interval: 10 }

/** A folder of made-up programs; each notes its runs in a file. */
class Programs {
  readonly folder = freshFolder()

  write(name: string, body: string): string {
    const path = this.path(name)
    // Renamed into place by rm and write: a program that is running is not written to.
    rmSync(path, { force: true })
    writeFileSync(path, `#!/bin/sh\necho run >> ${path}.runs\n${body}\n`)
    chmodSync(path, 0o755)
    return path
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  runs(name: string): number {
    return (readIfThere(`${this.path(name)}.runs`) ?? '').split('\n').length - 1
  }
}

function collect(tables: readonly Table[], periodMs = 100, timeoutMs = 3000) {
  const readings: { table: string; rows: Row[] }[] = []
  const log = recordingLog()
  const onRows = (table: Table, rows: Row[]) => void readings.push({ table: table.name, rows })
  const collector = new Collector({ tables, onRows, log, periodMs, timeoutMs })
  onTestFinished(() => collector.stop())
  const last = (table: string) => readings.findLast((one) => one.table === table)?.rows
  return { collector, readings, log, last }
}

it('reads every program, and again each period; a program that two tables name runs once', async () => {
  const programs = new Programs()
  const argv = [programs.write('ports', 'echo swp1 1')]
  const { collector, last } = collect([sampleTable('one', argv), sampleTable('two', argv)])
  collector.start()
  await expect
    .poll(() => [last('one'), last('two')], deadline)
    .toEqual([[{ name: 'swp1', size: 1 }], [{ name: 'swp1', size: 1 }]])
  programs.write('ports', 'echo swp1 2')
  await expect.poll(() => last('two'), deadline).toEqual([{ name: 'swp1', size: 2 }])
  await collector.stop()
  const runs = programs.runs('ports')
  expect(runs).toBeGreaterThan(1)
})

it('programs speak the language that the parsers know', async () => {
  const programs = new Programs()
  const { collector, last } = collect([sampleTable('one', [programs.write('lang', 'echo "$LC_ALL 1"')])])
  collector.start()
  await expect.poll(() => last('one'), deadline).toEqual([{ name: 'C', size: 1 }])
})

it('a program that fails is reported once and its table keeps its rows: failing is not having none', async () => {
  const programs = new Programs()
  const argv = [programs.write('ports', 'echo swp1 1')]
  const other = [programs.write('other', 'echo x 1')]
  const { collector, readings, log, last } = collect([sampleTable('port', argv), sampleTable('other', other)])
  collector.start()
  await expect.poll(() => last('port'), deadline).toBeDefined()
  programs.write('ports', 'echo "the daemon does not answer" >&2; exit 3')
  await expect.poll(() => log.lines, deadline).toHaveLength(1)
  expect(log.lines[0]).toBe(
    `WARNING: ${argv[0]} exited with 3: the daemon does not answer; what it told before is kept`,
  )
  const before = readings.filter((one) => one.table === 'port').length
  const runs = programs.runs('ports')
  await expect.poll(() => programs.runs('ports'), deadline).toBeGreaterThan(runs + 3)
  expect(readings.filter((one) => one.table === 'port')).toHaveLength(before)
  expect(log.lines).toHaveLength(1)
  programs.write('ports', 'echo swp1 5')
  await expect.poll(() => last('port'), deadline).toEqual([{ name: 'swp1', size: 5 }])
})

it('an output that is not understood leaves the rows, and so does a callback that throws', async () => {
  const programs = new Programs()
  const { collector, readings, log } = collect([
    sampleTable('port', [programs.write('ports', 'echo gibberish')]),
    { ...sampleTable('bad', [programs.write('bad', 'echo a 1')]), fields: [] },
  ])
  collector.start()
  await expect
    .poll(() => log.lines, deadline)
    .toContain("WARNING: table port keeps its last rows: port: 'gibberish' is not a name and a size")
  const runs = programs.runs('ports')
  await expect.poll(() => programs.runs('ports'), deadline).toBeGreaterThan(runs + 2)
  expect(log.lines).toHaveLength(1)
  expect(readings.some((one) => one.table === 'port')).toBe(false)
})

it('a program that is not installed is said once and has no rows; when it comes, it is read', async () => {
  const programs = new Programs()
  const { collector, log, last } = collect([sampleTable('port', [programs.path('later')])])
  collector.start()
  await expect.poll(() => last('port'), deadline).toEqual([])
  programs.write('later', 'echo swp1 1')
  await expect.poll(() => last('port'), deadline).toEqual([{ name: 'swp1', size: 1 }])
  expect(log.lines).toEqual([
    `WARNING: ${programs.path('later')} is not installed: what it would tell is left out`,
  ])
})

it('a program that disappears has rows for one more period, so that an upgrade of it is not news', async () => {
  const programs = new Programs()
  const argv = [programs.write('ports', 'echo swp1 1')]
  const { collector, readings, last } = collect([sampleTable('port', argv)], 400)
  collector.start()
  await expect.poll(() => last('port'), deadline).toHaveLength(1)
  rmSync(argv[0]!)
  const removed = Date.now()
  await expect.poll(() => last('port'), deadline).toEqual([])
  expect(Date.now() - removed).toBeGreaterThan(350)
  programs.write('ports', 'echo swp1 1')
  await expect.poll(() => last('port'), deadline).toHaveLength(1)
  expect(readings.length).toBeGreaterThan(2)
})

it('a table of several programs is parsed when all are known, with what is not installed as undefined', async () => {
  const programs = new Programs()
  const seen: (readonly (string | undefined)[])[] = []
  const argvs = [[programs.write('a', 'echo a')], [programs.path('absent')], [programs.write('c', 'exit 1')]]
  const table: Table = {
    ...sampleTable('joined', []),
    sources: argvs.map((argv) => ({ argv, triggers: [] })),
    parse: (outputs) => {
      seen.push(outputs)
      return []
    },
  }
  const { collector } = collect([table])
  collector.start()
  await expect.poll(() => programs.runs('c'), deadline).toBeGreaterThan(3)
  expect(seen).toEqual([])
  programs.write('c', 'echo c')
  await expect.poll(() => seen.at(-1), deadline).toEqual(['a\n', undefined, 'c\n'])
})

it('a program that hangs is killed with all it started, and holds up no other', async () => {
  const programs = new Programs()
  const hanging = programs.write('hang', `sleep 300 & echo $! > ${programs.path('pid')}; wait`)
  const { collector, log, readings } = collect(
    [sampleTable('slow', [hanging]), sampleTable('port', [programs.write('ports', 'echo swp1 1')])],
    50,
    1500,
  )
  collector.start()
  await expect.poll(() => readings.length, deadline).toBeGreaterThan(3)
  expect(log.lines).toEqual([])
  const pid = Number(readFileSync(programs.path('pid'), 'utf8'))
  await expect
    .poll(() => log.lines, deadline)
    .toEqual([`WARNING: ${hanging} did not end within 1.5 s and was killed; what it told before is kept`])
  await expect.poll(() => isRunning(pid), deadline).toBe(false)
})

it('stop ends running programs at once and gives nothing any more', async () => {
  const programs = new Programs()
  const hanging = programs.write('hang', `sleep 300 & echo $! > ${programs.path('pid')}; wait`)
  const { collector, readings } = collect([sampleTable('slow', [hanging])])
  collector.start()
  await expect.poll(() => readIfThere(programs.path('pid')), deadline).toMatch(/\d\n/)
  const began = Date.now()
  await collector.stop()
  expect(Date.now() - began).toBeLessThan(1000)
  await expect.poll(() => isRunning(Number(readFileSync(programs.path('pid'), 'utf8'))), deadline).toBe(false)
  expect(readings).toEqual([])
})

it('a trigger that does not exist is refused before anything runs', () => {
  const { collector } = collect([sampleTable('port', ['true'], ['links'])])
  expect(() => collector.start()).toThrow(
    "a table names the trigger 'links', which is not one of link, address,",
  )
})

function isRunning(pid: number): boolean {
  return !['Z', undefined].includes(readIfThere(`/proc/${pid}/stat`)?.split(') ')[1]?.[0])
}

it('a program whose news can wait is run at one in so many periodic readings, and its table keeps what it told', async () => {
  const programs = new Programs()
  const often = [programs.write('often', 'echo swp1 1')]
  const seldom = [programs.write('seldom', 'echo module 7')]
  const table: Table = {
    ...sampleTable('both', often),
    sources: [
      { argv: often, triggers: [] },
      { argv: seldom, triggers: [], oneIn: 4 },
    ],
    parse: (texts) => texts.map((text) => ({ name: text ?? '', size: 0 })),
  }
  const { collector, readings, last } = collect([table], 20)
  collector.start()
  await expect.poll(() => programs.runs('often'), deadline).toBeGreaterThan(12)
  await collector.stop()
  const [many, few] = [programs.runs('often'), programs.runs('seldom')]
  expect(few).toBeGreaterThan(many / 4 - 1)
  expect(few).toBeLessThan(many / 4 + 2)
  expect(readings.length).toBeGreaterThan(few)
  expect(last('both')).toEqual([
    { name: 'swp1 1\n', size: 0 },
    { name: 'module 7\n', size: 0 },
  ])
})

it('a script that fails is called by its name, and not quoted', async () => {
  const { collector, log } = collect([
    sampleTable('one', ['sh', '-c', 'echo "no such bus" >&2\nexit 3', 'services']),
  ])
  collector.start()
  await expect
    .poll(() => log.lines, deadline)
    .toEqual(['WARNING: the script "services" exited with 3: no such bus; what it told before is kept'])
})

it('programs of the same trigger are read together, however long one of them takes', async () => {
  const programs = new Programs()
  const [slow, fast] = [programs.write('slow', 'sleep 0.15; echo a 1'), programs.write('fast', 'echo b 1')]
  const table: Table = {
    ...sampleTable('both', [slow]),
    sources: [slow, fast].map((path) => ({ argv: [path], triggers: ['route'] })),
    parse: (outputs) => outputs.map((text) => ({ name: String(text).trim(), size: 1 })),
  }
  const group = new Group([table], {
    timeoutMs: 3000,
    reporter: new Reporter(recordingLog()),
    emit: () => {},
  })
  onTestFinished(() => group.stop())
  await expect
    .poll(() => {
      group.trigger(['route'])
      return programs.runs('slow')
    }, deadline)
    .toBeGreaterThan(3)
  await group.stop()
  expect(programs.runs('fast')).toBe(programs.runs('slow'))
})
