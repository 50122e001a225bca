import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { modulesAreCurrent, node24 } from '../../scripts/modules.mjs'

const ours = { os: [process.platform], cpu: [process.arch] }
const locked = {
  '': { version: '0.1.0' },
  'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
  'node_modules/native': { version: '1.0.0', integrity: 'sha512-n', optional: true, ...ours },
  'node_modules/for-musl': {
    version: '1.0.0',
    integrity: 'sha512-m',
    optional: true,
    ...ours,
    libc: ['musl'],
  },
  'node_modules/for-mac': { version: '1.0.0', integrity: 'sha512-d', optional: true, os: ['darwin'] },
  'node_modules/of-mac': { version: '1.0.0', integrity: 'sha512-o', optional: true },
}
const { '': _, 'node_modules/a': a, 'node_modules/native': native } = locked
let root = ''

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'modules-'))
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: locked }))
})

afterEach(() => {
  rmSync(root, { recursive: true, force: true })
})

function install(packages: object): void {
  mkdirSync(dirname(node24(root)), { recursive: true })
  writeFileSync(node24(root), '')
  writeFileSync(join(root, 'node_modules/.package-lock.json'), JSON.stringify({ packages }))
}

it('packages are current when all of this kind of machine are there as locked', () => {
  install({ 'node_modules/a': a, 'node_modules/native': native })
  expect(modulesAreCurrent(root)).toBe(true)
})

it('packages are not current when one is missing, of another version, or when Node 24 is missing', () => {
  expect(modulesAreCurrent(root)).toBe(false)
  install({ 'node_modules/native': native })
  expect(modulesAreCurrent(root)).toBe(false)
  install({ 'node_modules/a': a })
  expect(modulesAreCurrent(root)).toBe(false)
  install({ 'node_modules/a': { ...a, version: '1.0.1' }, 'node_modules/native': native })
  expect(modulesAreCurrent(root)).toBe(false)
  install({ 'node_modules/a': a, 'node_modules/native': native })
  rmSync(node24(root))
  expect(modulesAreCurrent(root)).toBe(false)
})
