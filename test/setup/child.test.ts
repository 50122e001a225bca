import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

it('a program gets a signal once, however often its starters pass it on, and its exit status is theirs', async () => {
  const program = `let count = 0
    process.on('SIGTERM', () => {
      count++
      setTimeout(() => { console.log('signals: ' + count); process.exit(7) }, 300)
    })
    setInterval(() => {}, 1000)
    console.log('ready')`
  const starter = `import { runHere } from ${JSON.stringify(`${root}/scripts/child.mjs`)}
    process.exitCode = await runHere(${JSON.stringify(root)}, ['--eval', ${JSON.stringify(program)}])`
  // In a group of its own, as `timeout` and CI runners start things; they signal the group.
  const child = spawn(process.execPath, ['--input-type=module', '--eval', starter], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (data) => {
    output += data
  })
  const ended = new Promise((end) => child.on('close', end))
  await expect.poll(() => output, { timeout: 10_000 }).toContain('ready')
  process.kill(-(child.pid ?? 0), 'SIGTERM')
  child.kill('SIGTERM')
  expect(await ended).toBe(7)
  expect(output).toContain('signals: 1\n')
})
