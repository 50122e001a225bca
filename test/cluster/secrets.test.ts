import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readSecrets } from '../../src/config/secrets.ts'
import { TestCluster } from '../support/cluster.ts'

let cluster: TestCluster
beforeEach(async () => {
  cluster = new TestCluster()
  await cluster.form()
})
afterEach(() => cluster.end())

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

test('nothing secret is in a file that others may read, in a log, in a process list or on a screen', async () => {
  const [a, b, c] = cluster.addresses as [string, string, string]
  // A switchover, so that Redis and Sentinel have written their configurations anew by themselves.
  await cluster.addServers('ts01', [b, a, c])
  await cluster.settled('ts01')
  const { key, admin, reader, replica, sentinel, prefix } = readSecrets(cluster.named('ts01').paths)!
  const secrets = [key, admin, reader, replica, sentinel, prefix.split(':')[1]!]
  const found = (text: string) => secrets.some((secret) => text.includes(secret))

  let looked = 0
  for (const { paths } of cluster.servers) {
    for (const file of filesBelow(paths.root)) {
      looked += 1
      const secret = found(readFileSync(file, 'latin1')) || file === paths.identityKey
      const mode = statSync(file).mode
      if (secret) expect(mode & 0o007, `${file} may be read by everyone`).toBe(0)
      if (secret) expect(file, 'a log holds a secret').not.toContain('/var/log/')
    }
  }
  expect(looked).toBeGreaterThan(20)

  const lines = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      } catch {
        return ''
      }
    })
  expect(lines.filter(found)).toEqual([])
  for (const words of [
    ['show', 'server'],
    ['show', 'server', a],
    ['show', 'server', 'config'],
    ['show', 'history'],
  ]) {
    expect(found((await cluster.netq('ts01', 'config', 'ts', ...words, 'json')).out), words.join(' ')).toBe(
      false,
    )
  }
})
