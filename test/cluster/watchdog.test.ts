import { expect, it } from 'vitest'
import type { View } from '../../src/cluster/types.ts'
import { feeding } from '../../src/cluster/watchdog.ts'

it('the watchdog is fed by rounds that have looked at the servers, and by no other', () => {
  const told: string[] = []
  const fed = feeding({ looked: () => told.push('looked'), roundEnded: () => told.push('ended') }, () =>
    told.push('alive'),
  )
  fed.roundEnded()
  fed.looked({} as View, 0)
  expect(told).toEqual(['ended', 'looked'])
  fed.roundEnded()
  fed.roundEnded()
  expect(told).toEqual(['ended', 'looked', 'ended', 'alive', 'ended'])
})
