import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { replaceFile } from '../../src/platform/files.ts'
import { skip } from '../setup/skip.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'f-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('replacing a file', () => {
  it('makes it and the folders that it is in, and leaves nothing beside it', () => {
    const path = join(folder, 'a/b')
    replaceFile(path, 'one', 0o600)
    replaceFile(path, 'two', 0o640)
    expect(readFileSync(path, 'utf8')).toBe('two')
    expect(statSync(path).mode & 0o777).toBe(0o640)
    expect(readdirSync(join(folder, 'a'))).toEqual(['b'])
  })

  it('leaves it to whom it belongs', () => {
    if (process.getuid?.() !== 0) skip('giving a file to another user needs root')
    const path = join(folder, 'file')
    writeFileSync(path, 'one')
    chownSync(path, 12_345, 12_346)
    replaceFile(path, 'two')
    expect(readFileSync(path, 'utf8')).toBe('two')
    expect(statSync(path)).toMatchObject({ uid: 12_345, gid: 12_346 })
  })
})
