import { expect, test } from 'vitest'
import { serverLines } from '../../src/cluster/servers-view.ts'
import { A, asMaster, B, C, following, healthy, sentinel } from './model/reports.ts'

/** What A shows of itself while its Sentinel has had no majority for this long. */
function shown(noQuorumMs: number): string {
  const own = { sentinel: sentinel(A, { quorum: false, noQuorumMs }) }
  const changed = {
    [A]: { ...own, redis: asMaster({ markerTime: 1000 }) },
    [B]: { redis: following(A, { markerTime: 1000 }) },
    [C]: { redis: following(A, { markerTime: 1000 }) },
  }
  const [mine, ...others] = healthy(A, changed)(A)
  const peers = new Map(others.map((report) => [report.ip, { report }]))
  return serverLines({ mine, peers, roles: new Map(), now: 1000 })[0]!.status
}

test('a Sentinel that has no majority for a moment is not called so, and is when it lasts', () => {
  expect(shown(0)).toBe('ok')
  expect(shown(699)).toBe('ok')
  expect(shown(700)).toBe('no quorum')
})
