import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import imported from '../../src/store/netq.lua'

it('an imported .lua file is its text', () => {
  expect(imported).toBe(
    readFileSync(join(resolve(import.meta.dirname, '../..'), 'src/store/netq.lua'), 'utf8'),
  )
})
