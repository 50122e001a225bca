import { describe, expect, it, test } from 'vitest'
import type { Situation } from '../../src/health/types.ts'
import { CHECKS, healthOf, verdictOn } from '../../src/health/verdict.ts'
import { A, B, C, master, NOW, replica, situation } from './situations.ts'

const rival = (named: string | undefined) => ({
  look: {
    named,
    servers: [A, B, C].map((server) => ({
      server,
      role: server === C ? 'replica' : 'master',
      master: '-',
      status: 'ok',
    })),
  },
})
const { look: _, ...unseen } = situation(master)
const { follows: __, ...fenced } = { ...replica, linkUp: false }

/** What is the case; which endpoints answer 200: primary, replica, health, liveness, readiness; the reasons given. */
const cases: [string, Situation, string, Partial<Record<string, RegExp>>][] = [
  ['the master', situation(master), 'p h l r', { primary: /^this server is the master and takes writes$/ }],
  [
    'a single server',
    situation({ ...master, replicas: [], minReplicas: 0 }, { look: { named: undefined } }),
    'p h l r',
    {},
  ],
  [
    'a master without a replica',
    situation({ ...master, replicas: [] }),
    'h l r',
    { primary: /takes no writes: no replica is connected/ },
  ],
  [
    'a master whose replicas are not heard',
    situation({ ...master, replicas: master.replicas.map((one) => ({ ...one, lag: 4 })) }),
    'h l r',
    { primary: /no replica is connected/ },
  ],
  [
    'a master whose disk is full',
    situation({ ...master, diskOk: false }),
    'h l r',
    { primary: /its disk is full or fails/ },
  ],
  [
    'a master that cannot write its mark',
    situation({ ...master, markerTime: NOW - 8000 }),
    'h l r',
    { primary: /its last write went well 8s ago/ },
  ],
  [
    'a master without a first mark',
    situation({ ...master, markerTime: 0 }),
    'h l r',
    { primary: /has not written its first mark yet/ },
  ],
  [
    'a master that was replaced by the Sentinels',
    situation(master, rival(B)),
    'h l',
    { primary: /10\.0\.0\.6 is the master, by the word of the Sentinels/, readiness: /not any more/ },
  ],
  [
    'one of two masters, without a word of the Sentinels',
    situation(master, rival(undefined)),
    'h l',
    { primary: /10\.0\.0\.6 says that it is the master too/ },
  ],
  ['the one of two masters that the Sentinels name', situation(master, rival(A)), 'p h l r', {}],
  [
    'the successor before the Sentinels know',
    situation(master, {
      look: {
        named: B,
        servers: [
          { server: A, role: 'master', master: A, status: 'ok' },
          { server: B, role: 'replica', master: A, status: 'ok' },
        ],
      },
    }),
    'p h l r',
    {},
  ],
  [
    'a replica',
    situation(replica),
    'R h l r',
    {
      primary: /^this server is a replica of 10\.0\.0\.6$/,
      replica: /^this server is a replica of 10\.0\.0\.6; this server's copy may be 0\.8 s old$/,
    },
  ],
  [
    'a replica whose link is down',
    situation({ ...replica, linkUp: false }),
    'h l',
    { replica: /^the link to 10\.0\.0\.6 is down$/, readiness: /is down/ },
  ],
  [
    'a replica that copies',
    situation({ ...replica, linkUp: false, syncing: 42 }),
    'h l',
    { readiness: /^this server is copying the data of 10\.0\.0\.6 \(42%\)$/ },
  ],
  [
    'a replica with an old copy',
    situation({ ...replica, markerTime: NOW - 5100 }),
    'h l r',
    { replica: /^this server's copy may be 5\.1 s old, and 5 s are allowed$/ },
  ],
  [
    'a replica without any mark',
    situation({ ...replica, markerTime: 0 }),
    'h l r',
    { replica: /^no mark of 10\.0\.0\.6 has arrived here yet$/ },
  ],
  [
    'a fenced server',
    situation(fenced),
    'h l',
    { primary: /^this server is a replica$/, replica: /a replica of nobody: no master is known/ },
  ],
  ['a Redis that loads', situation({ ...master, loading: true }), 'l', { health: /is loading its data/ }],
  ['no Redis', situation(undefined), 'l', { health: /^Redis is not running$/ }],
  [
    'a Redis that hangs',
    situation(undefined, { mine: { redisProblem: 'redis runs, but Command timed out' } }),
    'l',
    { primary: /^redis runs, but Command timed out$/ },
  ],
  ['the start', { ...unseen, rounds: 0 }, 'l', { liveness: /has not ended its first round/ }],
  [
    'a look that is too old',
    situation(master, { look: { ageMs: 6000 } }),
    'l',
    { primary: /has not looked at this server just now, and last did so 6s ago/ },
  ],
  [
    'a loop that stands',
    situation(master, { look: { ageMs: 11_000 }, top: { roundAgeMs: 10_001 } }),
    '',
    { liveness: /last round was 10s ago/ },
  ],
  [
    'a loop that never ran',
    { ...unseen, rounds: 0, roundAgeMs: 10_001 },
    '',
    { liveness: /has not ended its first round, 10s after the start/ },
  ],
]
const letters = { primary: 'p', replica: 'R', health: 'h', liveness: 'l', readiness: 'r' }

test.each(cases)('%s', (_, given, ok, reasons) => {
  const right = CHECKS.filter((check) => verdictOn(check, given).ok).map((check) => letters[check])
  expect(right.join(' ')).toBe(ok)
  for (const check of CHECKS) {
    const { reason } = verdictOn(check, given)
    expect(reason).toMatch(reasons[check] ?? /^[a-zR1].*[^.]$/)
    expect(reason).not.toMatch(/undefined|NaN|null/)
  }
})

describe('the allowed lag', () => {
  it.each([
    [1000, 800, true],
    [500, 800, false],
    [60_000, 45_000, true],
    [60_000, 61_000, false],
  ])('of %i ms and a copy of %i ms', (allowed, age, ok) => {
    expect(verdictOn('replica', situation({ ...replica, markerTime: NOW - age }), allowed).ok).toBe(ok)
  })

  it('does not make up for a link that is down', () => {
    expect(verdictOn('replica', situation({ ...replica, linkUp: false }), 1e9).ok).toBe(false)
  })
})

describe('the body', () => {
  it('tells what is known of the master', () => {
    expect(healthOf(situation(master), NOW - 60_000, 'so')).toEqual({
      state: 'ok',
      role: 'master',
      master: A,
      lag: 0,
      epoch: 7,
      since: NOW / 1000 - 60,
      reason: 'so',
    })
  })

  it('tells what is known of a replica, with the lag in seconds', () => {
    expect(healthOf(situation({ ...replica, markerTime: NOW - 1234 }), undefined, 'so')).toEqual({
      state: 'ok',
      role: 'replica',
      master: B,
      lag: 1.2,
      epoch: 7,
      since: null,
      reason: 'so',
    })
  })

  it('takes a clock that is behind the master for no lag', () => {
    expect(healthOf(situation({ ...replica, markerTime: NOW + 300 }), undefined, '').lag).toBe(0)
  })

  it('does not tell what is known no more', () => {
    expect(healthOf(situation(master, { look: { ageMs: 5001 } }), undefined, 'so')).toEqual({
      state: 'unknown',
      role: 'unknown',
      master: null,
      lag: null,
      epoch: null,
      since: null,
      reason: 'so',
    })
  })
})
