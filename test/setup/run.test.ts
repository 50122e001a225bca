import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** Runs vitest on one test file with this body, with the set-up of the real run; what it printed and its status. */
async function vitest(body: string): Promise<{ status: number; output: string }> {
  const at = (path: string) => JSON.stringify(join(root, path))
  writeFileSync(
    join(folder, 'vitest.config.mjs'),
    `import SkipReporter from ${at('test/setup/skip-reporter.ts')}
    export default { test: {
      globals: true, include: ['inner.ts'], maxWorkers: 1, globalSetup: [${at('test/setup/leaks.ts')}],
      reporters: ['default', new SkipReporter()] } }`,
  )
  writeFileSync(join(folder, 'inner.ts'), body)
  // VITEST* in the environment would make the inner run a worker of this one.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')))
  const child = spawn(
    process.execPath,
    [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder],
    {
      env: { ...env, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data))
  const status = await new Promise<number>((end) => child.on('close', (code) => end(code ?? -1)))
  return { status, output }
}

const alive = (pid: number) => existsSync(`/proc/${pid}`)

describe('what a run leaves behind', () => {
  it('fails the run, is named, and is ended', async () => {
    const pidFile = join(folder, 'pid')
    const { status, output } = await vitest(`
      import { spawn } from 'node:child_process'
      import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
      import { tmpdir } from 'node:os'
      import { join } from 'node:path'
      it('leaks', () => {
        const marked = spawn('sleep', ['61'], { detached: true, stdio: 'ignore' })
        const cwd = mkdtempSync(join(tmpdir(), 'leaked-'))
        const unmarked = spawn('sleep', ['62'], { detached: true, stdio: 'ignore', cwd, env: { PATH: process.env.PATH } })
        for (const child of [marked, unmarked]) child.unref()
        writeFileSync(${JSON.stringify(pidFile)}, marked.pid + ' ' + unmarked.pid)
      })`)
    const [marked = 0, unmarked = 0] = readFileSync(pidFile, 'utf8').split(' ').map(Number)
    expect(output).toContain('1 passed')
    expect(output).toContain('The tests left this behind:')
    expect(output).toContain(`process ${marked}: sleep 61`)
    expect(output).toContain(`process ${unmarked}: sleep 62`)
    expect(output).toMatch(/file in the temporary folder: leaked-\w+/)
    expect(status).toBe(1)
    await expect.poll(() => alive(marked) || alive(unmarked), { timeout: 5000 }).toBe(false)
  })

  it('is nothing where the tests clean up, and skipped tests give their reasons', async () => {
    const { status, output } = await vitest(`
      import { spawn } from 'node:child_process'
      import { skip } from ${JSON.stringify(join(root, 'test/setup/skip.ts'))}
      it('cleans up', async () => {
        const child = spawn('sleep', ['63'])
        child.kill()
        await new Promise((resolve) => child.on('exit', resolve))
      })
      it('is skipped', () => skip('needs a second moon'))`)
    expect(output).toContain('1 passed | 1 skipped')
    expect(output).toMatch(/^Skipped: inner\.ts > is skipped: needs a second moon$/m)
    expect(output).not.toContain('left this behind')
    expect(status).toBe(0)
  })
})
