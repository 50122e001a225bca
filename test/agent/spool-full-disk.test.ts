import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import type { Lost } from '../../src/agent/losses.ts'
import { skip } from '../setup/skip.ts'
import { freshFolder, openSpool, recordingLog, roomy, StoreDouble } from './helpers.ts'

/** A disk of its own, of 128 KB. */
function smallDisk(): string {
  if (process.getuid?.() !== 0) skip('needs root, to mount a small disk')
  const folder = freshFolder()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', folder], { stdio: 'pipe' })
  } catch {
    skip('needs to be allowed to mount a small disk')
  }
  // Registered after the folder's removal, and so run before it.
  onTestFinished(() => void execFileSync('umount', ['-l', folder]))
  return folder
}

const fill = (disk: string) => {
  try {
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(1 << 20))
  } catch {
    // as much as there was room for
  }
}

it('a full disk is said once; batches go on from memory, and to the disk when it has room again', () => {
  const disk = smallDisk()
  const log = recordingLog()
  const spool = openSpool(disk, roomy, log)
  spool.reconcile(0)
  spool.append(1, 'before')
  fill(disk)
  const large = (i: number) => `${i} ${'x'.repeat(3000)}`
  for (let i = 2; i <= 20; i++) spool.append(i, large(i))
  expect(log.lines).toEqual([
    expect.stringMatching(
      /^ERROR: the spool cannot be written \(ENOSPC.*\): changes are kept in memory only, up to 4 MB/,
    ),
  ])
  const store = new StoreDouble()
  store.take(spool)
  expect(store.mark).toBe(20)
  expect(spool.count).toBe(20)

  rmSync(join(disk, 'ballast'))
  spool.append(21, 'after')
  expect(log.lines[1]).toBe('INFO: the spool can be written again')
  spool.close()
  const again = openSpool(disk)
  again.reconcile(0)
  const other = new StoreDouble()
  other.take(again)
  expect(other.payloads).toEqual(store.payloads.concat('after'))
})

it('when the memory is full as well, the oldest are a gap', () => {
  const disk = smallDisk()
  const lost: Lost[] = []
  const log = recordingLog()
  const spool = openSpool(disk, { ...roomy, onLoss: (one) => lost.push(one) }, log)
  spool.reconcile(0)
  spool.append(1, 'before')
  fill(disk)
  for (let i = 2; i <= 50; i++) spool.append(i, `${i} ${'x'.repeat(200_000)}`)
  expect(log.lines).toHaveLength(2)
  rmSync(join(disk, 'ballast'))
  const store = new StoreDouble()
  store.take(spool)
  const [first, gap, ...rest] = store.applied
  expect(first!.payload).toBe('before')
  expect(gap!.payload).toBe(`G\t2\t${gap!.seq}\tthe disk could not be written and the memory was full`)
  expect(rest.map((batch) => batch.seq)).toEqual(
    Array.from({ length: 50 - gap!.seq }, (_, i) => gap!.seq + 1 + i),
  )
  expect(rest.length).toBeGreaterThan(15)
  expect(lost.at(-1)).toMatchObject({ from: 2, to: gap!.seq })
})

it('a batch that was sent from memory only and died with the agent does not share its number', () => {
  const disk = smallDisk()
  const store = new StoreDouble()
  const first = openSpool(disk)
  first.reconcile(0)
  first.append(1, 'before')
  fill(disk)
  first.append(2, `sent from memory ${'x'.repeat(5000)}`)
  store.take(first)
  expect(store.mark).toBe(2)
  first.close()
  rmSync(join(disk, 'ballast'))
  const second = openSpool(disk)
  expect(second.append(3, 'new').seq).toBe(2)
  second.reconcile(store.mark)
  store.take(second)
  expect(store.applied.map(({ seq, payload }) => [seq, payload.slice(0, 6)])).toEqual([
    [1, 'before'],
    [2, 'sent f'],
    [3, 'new'],
  ])
})

it('a spool can be opened and used on a disk that is full from the start', () => {
  const disk = smallDisk()
  fill(disk)
  const log = recordingLog()
  const spool = openSpool(disk, roomy, log)
  spool.append(1, 'a')
  expect(spool.reconcile(0).ready).toBe(true)
  spool.append(2, 'b')
  const store = new StoreDouble()
  store.take(spool)
  expect(store.payloads).toEqual(['a', 'b'])
})
