import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadIdentity } from '../../src/cluster/identity.ts'
import { type Paths, pathsUnder } from '../../src/platform/paths.ts'

let root: string
let paths: Paths
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'id-'))
  paths = pathsUnder(join(root, 'one'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

test('a server keeps the identity that it made at its first start', () => {
  const first = loadIdentity(paths)
  expect(first.fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
  expect(loadIdentity(paths)).toEqual(first)
})

test.each([
  ['the key is not a key', () => writeFileSync(paths.identityKey, 'garbage')],
  ['the key is empty', () => writeFileSync(paths.identityKey, '')],
  ['the key is gone', () => rmSync(paths.identityKey)],
  ['the certificate is cut off', () => execFileSync('truncate', ['-s', '100', paths.identityCertificate])],
  [
    'the key is that of another server',
    () => {
      const other = pathsUnder(join(root, 'other'))
      loadIdentity(other)
      copyFileSync(other.identityKey, paths.identityKey)
    },
  ],
])('where %s a sentence says what to do, and no other identity is made', (_, damage) => {
  loadIdentity(paths)
  damage()
  for (const _again of [1, 2])
    expect(() => loadIdentity(paths)).toThrow(
      /^the identity of this server is damaged: \S+ and \S+ are missing, .* Nothing was changed\. Restore both; or remove both, .*netq config ts add server/,
    )
})
