import { describe, expect, it } from 'vitest'
import { planExtra, planSystem } from '../../scripts/system.mjs'

const debian = ['apt-get', 'redis-server', 'redis-sentinel', 'ip', 'openssl']

function plan(
  programs: readonly string[],
  who: { root?: boolean; terminal?: boolean; freeSudo?: boolean } = {},
) {
  return planSystem({
    has: (program) => programs.includes(program),
    root: who.root ?? false,
    terminal: who.terminal ?? false,
    freeSudo: () => who.freeSudo ?? false,
  })
}

describe('the programs of the system', () => {
  it('are left alone when they are all there, whoever asks', () => {
    expect(plan(debian)).toEqual({ act: 'nothing' })
    expect(plan(debian.slice(1))).toEqual({ act: 'nothing' })
  })

  it('are installed by root, and only those that are missing', () => {
    expect(plan(['apt-get', 'ip', 'openssl', 'sudo'], { root: true })).toEqual({
      act: 'install',
      packages: ['redis-server', 'redis-sentinel'],
      as: [],
    })
  })

  it('are installed with sudo where that asks for nothing, or can ask', () => {
    const programs = [...debian, 'sudo'].filter((program) => program !== 'ip')
    expect(plan(programs, { freeSudo: true })).toEqual({
      act: 'install',
      packages: ['iproute2'],
      as: ['sudo', '-n'],
    })
    expect(plan(programs, { terminal: true })).toMatchObject({ act: 'install', as: ['sudo'] })
  })

  it('are asked for in one sentence with the command, where they cannot be installed', () => {
    const refusal = {
      act: 'refuse',
      sentence:
        'redis-server, ip must be installed, and you are not root. Nothing was changed. ' +
        'As root, run: apt-get update && apt-get install --yes redis-server iproute2',
    }
    expect(plan(['apt-get', 'redis-sentinel', 'openssl'])).toEqual(refusal)
    expect(plan(['apt-get', 'redis-sentinel', 'openssl'], { terminal: true })).toEqual(refusal)
    expect(plan(['apt-get', 'redis-sentinel', 'openssl', 'sudo'])).toEqual(refusal)
  })

  it('are only named on a system without apt-get', () => {
    expect(plan(['ip', 'openssl'], { root: true })).toEqual({
      act: 'refuse',
      sentence:
        'redis-server, redis-sentinel must be installed, and this system has no apt-get to do it with ' +
        '(Debian 12 is what is tested). Nothing was changed. Install them, then run this again.',
    })
  })
})

describe('InfluxDB', () => {
  const installed = { act: 'install', packages: ['influxdb'] }
  const decide = (programs: readonly string[], root: boolean, freeSudo: boolean, offered = true) =>
    planExtra({
      has: (program) => programs.includes(program),
      root,
      freeSudo: () => freeSudo,
      offers: () => offered,
    })

  it('is installed where that asks for nothing', () => {
    expect(decide(debian, true, false)).toEqual({ ...installed, as: [] })
    expect(decide([...debian, 'sudo'], false, true)).toEqual({ ...installed, as: ['sudo', '-n'] })
  })

  it('is done without where it is not offered, or a password would be asked for', () => {
    for (const plan of [
      decide([...debian, 'influxd'], true, true),
      decide(debian, true, true, false),
      decide([...debian, 'sudo'], false, false),
      decide(['ip'], true, true),
    ])
      expect(plan).toEqual({ act: 'nothing' })
  })
})
