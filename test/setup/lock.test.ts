import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'

const module = resolve(import.meta.dirname, '../../scripts/lock.mjs')
let folder = ''
const children: ChildProcess[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lock-'))
})

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await new Promise((resolve) => child.on('exit', resolve))
  }
  rmSync(folder, { recursive: true, force: true })
})

/** A process that takes the lock, says so, and gives it back when its standard input ends. */
function taker(): { child: ChildProcess; said: () => string } {
  const body = `import { withLock } from ${JSON.stringify(module)}
    await withLock(${JSON.stringify(join(folder, 'd/lock'))}, async () => {
      console.log('has it')
      for await (const _ of process.stdin);
    })
    console.log('gave it back')`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', body])
  children.push(child)
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data) => {
      text += data
    })
  }
  return { child, said: () => text }
}

const deadline = { timeout: 10_000 }

it('one set-up waits for the other, and says for whom', async () => {
  const first = taker()
  await expect.poll(first.said, deadline).toContain('has it')
  expect(readFileSync(join(folder, 'd/lock'), 'utf8')).toBe(String(first.child.pid))
  const second = taker()
  await expect
    .poll(second.said, deadline)
    .toBe(`Waiting for the set-up that process ${first.child.pid} is doing\n`)
  first.child.stdin?.end()
  await expect.poll(second.said, deadline).toContain('has it')
  expect(first.said()).toContain('gave it back')
})

it('the lock of a set-up that was killed is free', async () => {
  const first = taker()
  await expect.poll(first.said, deadline).toContain('has it')
  first.child.kill('SIGKILL')
  const second = taker()
  await expect.poll(second.said, deadline).toContain('has it')
})
