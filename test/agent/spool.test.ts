import { spawn } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import type { Lost } from '../../src/agent/losses.ts'
import { freshFolder, openSpool, recordingLog, roomy, StoreDouble } from './helpers.ts'

const files = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.seg'))
    .map((name) => join(folder, name))

it('numbers batches from 1, gives them in order, and goes on after a restart with nothing left', () => {
  const folder = freshFolder()
  const spool = openSpool(folder)
  expect([spool.last, spool.first, spool.count, spool.bytes, spool.oldestTime]).toEqual([
    0,
    1,
    0,
    0,
    undefined,
  ])
  expect(spool.append(1000, 'a')).toEqual({ prev: 0, seq: 1, time: 1000, payload: 'a' })
  expect(spool.append(2000, 'b')).toEqual({ prev: 1, seq: 2, time: 2000, payload: 'b' })
  spool.reconcile(0)
  expect(spool.after(0, 10, 1000).map(({ seq, payload }) => [seq, payload])).toEqual([
    [1, 'a'],
    [2, 'b'],
  ])
  expect([spool.first, spool.count, spool.oldestTime]).toEqual([1, 2, 1000])
  spool.trim(2)
  expect([spool.last, spool.first, spool.count, spool.bytes]).toEqual([2, 3, 0, 0])
  spool.close()
  const again = openSpool(folder)
  again.reconcile(2)
  expect(again.append(3000, 'c').seq).toBe(3)
})

it('reads back from the disk what an earlier life wrote, across segments, within the bounds asked for', () => {
  const folder = freshFolder()
  const options = { capBytes: 1 << 20, segmentBytes: 500 }
  const spool = openSpool(folder, options)
  const payloads = Array.from({ length: 100 }, (_, i) => `P\tport\tswp${i}\t{"ü":${i}}`)
  for (const payload of payloads) spool.append(1, payload)
  spool.close()
  expect(files(folder).length).toBeGreaterThan(5)
  const again = openSpool(folder, options)
  again.reconcile(0)
  const store = new StoreDouble()
  store.take(again)
  expect(store.payloads).toEqual(payloads)
  expect(again.after(10, 3, 1 << 20).map((batch) => batch.seq)).toEqual([11, 12, 13])
  expect(again.after(10, 100, 1).map((batch) => batch.seq)).toEqual([11])
  again.trim(95)
  expect([again.first, again.count]).toEqual([96, 5])
  expect(files(folder).length).toBeLessThan(4)
})

it('sends nothing before it was compared with the store', () => {
  const spool = openSpool(freshFolder())
  spool.append(1, 'a')
  expect(spool.after(0, 10, 1000)).toEqual([])
  expect(spool.reconcile(0)).toMatchObject({ ready: true, fullReading: false })
  expect(spool.after(0, 10, 1000)).toHaveLength(1)
})

it('a number that the store has already is not used again: what is new is numbered behind it', () => {
  const folder = freshFolder()
  const first = openSpool(folder)
  first.reconcile(0)
  first.append(1, 'one')
  first.append(1, 'two, sent and applied')
  first.close()
  const [file] = files(folder)
  truncateSync(file!, statSync(file!).size - 3)

  const log = recordingLog()
  const second = openSpool(folder, roomy, log)
  expect(log.lines[0]).toMatch(/was cut by \d+ bytes: they are not whole after batch 1$/)
  expect(second.append(2, 'new').seq).toBe(2)
  expect(second.reconcile(2)).toMatchObject({
    ready: true,
    sentence: 'the store has batches up to 2, this spool had them up to 1: new ones follow 2',
  })
  expect(second.after(2, 10, 1000)).toEqual([{ prev: 2, seq: 3, time: 2, payload: 'new' }])
  second.close()

  const third = openSpool(folder)
  expect(third.last).toBe(3)
  third.reconcile(2)
  expect(third.after(2, 10, 1000)).toEqual([{ prev: 2, seq: 3, time: 2, payload: 'new' }])
})

it('numbers that were never compared with the store stay provisional through any number of restarts', () => {
  const folder = freshFolder()
  const options = { capBytes: 1 << 20, segmentBytes: 200 }
  for (const [i, payload] of ['a', 'b', 'c', 'd'].entries()) {
    const spool = openSpool(folder, options)
    expect(spool.append(1, payload.repeat(150)).seq).toBe(i + 1)
    spool.close()
  }
  const spool = openSpool(folder, options)
  spool.reconcile(1000)
  const store = new StoreDouble()
  store.mark = 1000
  store.take(spool)
  expect(store.applied.map(({ seq, payload }) => [seq, payload[0]])).toEqual([
    [1001, 'a'],
    [1002, 'b'],
    [1003, 'c'],
    [1004, 'd'],
  ])
})

it('a settled numbering survives kill -9 between the files of a chapter', () => {
  const folder = freshFolder()
  const options = { capBytes: 1 << 20, segmentBytes: 200 }
  const spool = openSpool(folder, options)
  for (const payload of ['a', 'b', 'c']) spool.append(1, payload.repeat(150))
  const before = files(folder).map((file) => readFileSync(file))
  spool.reconcile(50)
  expect(spool.after(50, 1, 1)[0]).toMatchObject({ seq: 51 })
  spool.close()
  // As if the process had been killed after the first of the three headers.
  for (const [i, file] of files(folder).entries()) if (i > 0) writeFileSync(file, before[i]!)
  const again = openSpool(folder, options)
  again.reconcile(51)
  expect(again.after(51, 9, 1000).map(({ seq, payload }) => [seq, payload[0]])).toEqual([
    [52, 'b'],
    [53, 'c'],
  ])
  again.trim(52)
  again.close()
  const third = openSpool(folder, options)
  expect(third.last).toBe(53)
  third.reconcile(52)
  expect(third.after(52, 9, 1000).map((batch) => batch.seq)).toEqual([53])
})

it('when the store is ahead in the middle of a life, the unsent is dropped, said so, and read anew', () => {
  const lost: Lost[] = []
  const log = recordingLog()
  const spool = openSpool(freshFolder(), { ...roomy, onLoss: (one) => lost.push(one) }, log)
  spool.reconcile(0)
  spool.append(1, 'a')
  const answer = spool.reconcile(80)
  expect(answer).toMatchObject({ ready: true, fullReading: true })
  expect(log.lines.join()).toContain('the store has batch 80 of this host, but its spool ends at 1')
  spool.append(2, 'b')
  expect(
    spool.after(80, 10, 1000).map(({ prev, seq, payload }) => [prev, seq, payload.slice(0, 40)]),
  ).toEqual([
    [80, 81, 'G\t81\t81\t1 batches that the store may not'],
    [81, 82, 'b'],
  ])
  expect(lost).toHaveLength(1)
})

it('what the store forgot becomes a gap and asks for a full reading', () => {
  const spool = openSpool(freshFolder(), { capBytes: 1 << 20, segmentBytes: 100 })
  spool.reconcile(0)
  for (const payload of ['a', 'b', 'c']) spool.append(1, payload.repeat(50))
  spool.trim(2)
  expect(spool.reconcile(0)).toMatchObject({
    ready: true,
    fullReading: true,
    sentence: 'the store forgot batches 1 to 2, which it had acknowledged',
  })
  expect(spool.after(0, 10, 1000).map(({ prev, seq, payload }) => [prev, seq, payload])).toEqual([
    [0, 2, 'G\t1\t2\tacknowledged earlier, but the store no longer has them'],
    [2, 3, 'c'.repeat(50)],
  ])
})

it('a refused batch becomes a gap of its own number, also after a restart', () => {
  const folder = freshFolder()
  const spool = openSpool(folder)
  spool.reconcile(0)
  for (const payload of ['a', 'bad', 'c']) spool.append(1, payload)
  spool.replaceWithGap(2, 'not\tJSON')
  const expected = ['a', 'G\t2\t2\tnot JSON', 'c']
  const store = new StoreDouble()
  store.take(spool)
  expect(store.payloads).toEqual(expected)
  spool.close()
  const again = openSpool(folder)
  again.reconcile(0)
  const other = new StoreDouble()
  other.take(again)
  expect(other.payloads).toEqual(expected)
})

it('above its cap the oldest batches are one gap that widens, and the newest are kept', () => {
  const folder = freshFolder()
  const lost: Lost[] = []
  const log = recordingLog()
  const options = { capBytes: 4000, segmentBytes: 500, onLoss: (one: Lost) => lost.push(one) }
  const spool = openSpool(folder, options, log)
  spool.reconcile(0)
  for (let i = 1; i <= 100; i++) spool.append(i, `batch ${i}`)
  const size = files(folder).reduce((sum, file) => sum + statSync(file).size, 0)
  expect(size).toBeLessThanOrEqual(4000)
  expect(lost.length).toBeGreaterThan(1)
  expect(log.lines).toHaveLength(1)
  const check = (name: typeof spool) => {
    const store = new StoreDouble()
    store.take(name)
    const [gap, ...rest] = store.applied
    expect(gap).toMatchObject({ prev: 0, payload: `G\t1\t${gap!.seq}\tthe spool was full (cap 4000 bytes)` })
    expect(rest.map((batch) => batch.payload)).toEqual(
      Array.from({ length: 100 - gap!.seq }, (_, i) => `batch ${gap!.seq + i + 1}`),
    )
    expect(rest.length).toBeGreaterThan(30)
    return gap!.seq
  }
  const to = check(spool)
  expect(spool.reconcile(0).fullReading).toBe(true)
  // A mark inside of the gap (it was sent when it was narrower): the rest of it follows.
  expect(spool.after(to - 2, 1, 1)[0]).toMatchObject({ prev: to - 2, seq: to })
  spool.close()
  const again = openSpool(folder, options)
  again.reconcile(0)
  expect(check(again)).toBe(to)
})

it('a batch that is larger than the cap is a gap, not an endless retry', () => {
  const spool = openSpool(freshFolder(), { capBytes: 2000 })
  spool.reconcile(0)
  for (const payload of ['a', 'x'.repeat(5000), 'c']) spool.append(1, payload)
  expect(spool.last).toBe(3)
  const store = new StoreDouble()
  store.take(spool)
  expect(store.payloads.at(-2)).toMatch(/^G\t\d\t2\tthe batch is larger than the spool may be$/)
  expect(store.payloads.at(-1)).toBe('c')
})

it('damage in an older segment loses what follows in it, and that is an explicit gap', () => {
  const folder = freshFolder()
  const options = { capBytes: 1 << 20, segmentBytes: 500 }
  const spool = openSpool(folder, options)
  spool.reconcile(0)
  for (let i = 1; i <= 30; i++) spool.append(i, `batch ${i}`)
  spool.close()
  const [, second] = files(folder)
  const bytes = readFileSync(second!)
  bytes[200]! ^= 1
  writeFileSync(second!, bytes)
  const again = openSpool(folder, options)
  again.reconcile(0)
  const store = new StoreDouble()
  store.take(again)
  const gaps = store.payloads.filter((payload) => payload.startsWith('G'))
  expect(gaps).toEqual([expect.stringMatching(/^G\t\d+\t\d+\tmissing in the spool$/)])
  const [, from, to] = gaps[0]!.split('\t').map(Number)
  expect(store.payloads).toEqual([
    ...Array.from({ length: from! - 1 }, (_, i) => `batch ${i + 1}`),
    gaps[0],
    ...Array.from({ length: 30 - to! }, (_, i) => `batch ${to! + i + 1}`),
  ])
})

it('damage that is found only when a batch is read back is a gap, too, and is reported', () => {
  const folder = freshFolder()
  const lost: Lost[] = []
  const options = { capBytes: 1 << 20, segmentBytes: 500, onLoss: (one: Lost) => lost.push(one) }
  const spool = openSpool(folder, options)
  for (let i = 1; i <= 30; i++) spool.append(i, `batch ${i}`)
  spool.close()
  const again = openSpool(folder, options)
  again.reconcile(0)
  truncateSync(files(folder)[0]!, 100)
  const store = new StoreDouble()
  store.take(again)
  expect(store.payloads[1]).toMatch(/^G\t2\t\d+\tthe spool could not be read back from its disk$/)
  expect(store.payloads.at(-1)).toBe('batch 30')
  expect(lost).toHaveLength(1)
})

it('a segment whose header is damaged, and one that was just being made, do no harm', () => {
  const folder = freshFolder()
  const options = { capBytes: 1 << 20, segmentBytes: 500 }
  const spool = openSpool(folder, options)
  spool.reconcile(0)
  for (let i = 1; i <= 30; i++) spool.append(i, `batch ${i}`)
  spool.close()
  writeFileSync(files(folder)[0]!, 'x'.repeat(500))
  writeFileSync(join(folder, '0000000099.seg'), 'NETQ')
  const log = recordingLog()
  const again = openSpool(folder, options, log)
  expect(log.lines).toEqual([expect.stringMatching(/0000000001.seg cannot be read and was removed/)])
  again.reconcile(0)
  expect(again.append(31, 'batch 31').seq).toBe(31)
  const store = new StoreDouble()
  store.take(again)
  expect(store.payloads[0]).toMatch(/^G\t1\t\d+\tmissing in the spool$/)
  expect(store.payloads.at(-1)).toBe('batch 31')
})

it('zeros and noise behind the last record, as a power loss leaves them, are cut', () => {
  for (const tail of [Buffer.alloc(4096), Buffer.from('noise'.repeat(50))]) {
    const folder = freshFolder()
    const spool = openSpool(folder)
    spool.reconcile(0)
    spool.append(1, 'a')
    spool.close()
    appendFileSync(files(folder)[0]!, tail)
    const again = openSpool(folder)
    again.reconcile(0)
    again.append(2, 'b')
    const store = new StoreDouble()
    store.take(again)
    expect(store.payloads).toEqual(['a', 'b'])
  }
})

it('a mark that is not a number of a batch is refused and changes nothing', () => {
  const spool = openSpool(freshFolder())
  spool.append(1, 'a')
  for (const mark of [-1, Number.NaN, 1.5]) expect(spool.reconcile(mark).ready).toBe(false)
  expect(spool.reconcile(0).ready).toBe(true)
})

it('restartAfter goes on behind a number, and never back', () => {
  const spool = openSpool(freshFolder())
  spool.reconcile(0)
  spool.append(1, 'a')
  expect(() => spool.restartAfter(0)).toThrow('numbers up to 1 were used; the spool cannot restart after 0')
  spool.restartAfter(9)
  expect([spool.last, spool.count]).toEqual([9, 0])
  expect(spool.append(1, 'b').seq).toBe(10)
})

it('a folder has one owner: a second one is told who, and the lock of a dead one is taken over', async () => {
  const folder = freshFolder()
  const spool = openSpool(folder)
  const refusal = new RegExp(
    `is in use by process ${process.pid}; nothing was changed: stop that agent first`,
  )
  expect(() => openSpool(folder)).toThrow(refusal)
  const mine = readFileSync(join(folder, 'lock'), 'utf8')
  spool.close()
  expect(existsSync(join(folder, 'lock'))).toBe(false)

  const child = spawn('sleep', ['60'])
  onTestFinished(() => void child.kill('SIGKILL'))
  const [, start, boot] = mine.trim().split(' ')
  const startOf = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[19]
  writeFileSync(join(folder, 'lock'), `${child.pid} ${startOf} ${boot}\n`)
  expect(() => openSpool(folder)).toThrow(`is in use by process ${child.pid}`)
  const stale = [`${child.pid} 12 ${boot}`, `${process.pid} ${start} other-boot`, '', 'nonsense']
  for (const text of stale) {
    writeFileSync(join(folder, 'lock'), text)
    openSpool(folder).close()
  }
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('exit', resolve))
  writeFileSync(join(folder, 'lock'), `${child.pid} ${startOf} ${boot}\n`)
  openSpool(folder).close()
  expect(readdirSync(folder).filter((name) => name.startsWith('lock'))).toEqual([])
})

it('a folder that cannot be made is one sentence', () => {
  const file = join(freshFolder(), 'file')
  writeFileSync(file, '')
  expect(() => openSpool(join(file, 'spool'))).toThrow(
    /^the spool folder .* cannot be made: ENOTDIR.*needs it to start$/,
  )
})
