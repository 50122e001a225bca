import { spawn } from 'node:child_process'
import { expect } from 'vitest'
import type { LabServer } from '../../lab/server.ts'
import type { TestCluster } from './cluster.ts'
import { killer, whenLogged } from './moments.ts'
import { until } from './until.ts'

/** How long a cts-auth stays dead that is killed in the middle of something, in milliseconds: the others notice it. */
export const DEAD_MS = 1000

/** What a command said last has to be so, if it could say it. */
export function expectTrue(out: string, now: { master: string; order: string }): void {
  const said = /(?:^|\s)(\S+) is the master, .* are its replicas; all three agree\.\n$/.exec(out)?.[1]
  if (said !== undefined) expect(said).toBe(now.master)
  if (/Nothing was changed\.\n$/.test(out)) expect(out).not.toMatch(/all three agree/)
}

/**
 * Makes a change, kills cts-auth of `victim` when `on` logs this, and starts it again.
 * @returns what the command of the change said, and whether it came to that: a step that is over at once is not always logged
 */
export async function interrupted(
  on: LabServer,
  pattern: RegExp,
  victim: LabServer,
  change: () => Promise<{ out: string }>,
): Promise<{ out: string; came: boolean }> {
  const kill = await killer(victim, 'cts-auth')
  let struck = 0
  const forget = whenLogged(on, pattern, () => {
    kill()
    struck = Date.now()
  })
  try {
    const answer = change()
    const came = await struckBefore(answer, () => struck)
    if (came) await victim.services.start('cts-auth')
    else process.stdout.write(`${on.name} passed over ${pattern}\n`)
    return { out: (await answer).out, came }
  } finally {
    forget()
  }
}

/**
 * Waits until what is struck has been dead for a while, or until the command has ended without it.
 * @param struck when it was struck, ms since the epoch; 0 while it was not
 * @returns whether it was
 */
export async function struckBefore(answer: Promise<{ out: string }>, struck: () => number): Promise<boolean> {
  let over = false
  void answer.then(() => {
    over = true
  })
  await until('it is struck', 40_000, () => (struck() > 0 ? Date.now() - struck() > DEAD_MS : over))
  return struck() > 0
}

/** Types a command on a server, and kills the command once it has said this many lines. @returns what it had said */
export function cutShort(
  cluster: TestCluster,
  on: string,
  words: readonly string[],
  lines: number,
): Promise<string> {
  const { NETQ_ROOT: _, ...env } = process.env
  const argv = [cluster.program, '--on', on, 'config', 'ts', ...words]
  const child = spawn(process.execPath, argv, { env: { ...env, NETQ_DEMO: cluster.places } })
  let said = ''
  child.stdout.on('data', (part: Buffer) => {
    said += part
    if (said.split('\n').length > lines) child.kill('SIGKILL')
  })
  return new Promise((resolve) => child.once('close', () => resolve(said)))
}
