import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { pathsUnder } from '../../src/platform/paths.ts'
import { childServices } from '../../src/platform/services.ts'
import { until } from '../support/until.ts'

it('a service that two start at the same time runs once, and both of them find it', async () => {
  const root = mkdtempSync(join(tmpdir(), 'services-'))
  const paths = pathsUnder(root)
  mkdirSync(dirname(paths.redisConfig), { recursive: true })
  writeFileSync(paths.redisConfig, `port 0\nunixsocket ${root}/redis.sock\nsave ""\n`)
  const [one, other] = [childServices(paths), childServices(paths)]
  onTestFinished(async () => {
    await one.kill('redis')
    rmSync(root, { recursive: true })
  })
  for (let times = 0; times < 10; times++) {
    await Promise.all([one.start('redis'), other.start('redis')])
    const { pid } = (await one.running('redis'))!
    expect((await other.running('redis'))!.pid).toBe(pid)
    await until('only that one runs', 5000, () => {
      const found = execFileSync('pgrep', [
        '--full',
        '--',
        `${root}/redis.sock|${paths.redisConfig}|unixsocket:${root}`,
      ])
      return found.toString().trim() === `${pid}`
    })
    await one.kill('redis')
  }
})
