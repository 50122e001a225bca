import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

/**
 * Ends a child, and resolves once it is gone.
 * @param ask has it end by itself; who has not after `graceMs` is killed. Without it the child is killed at once
 */
export async function endChild(child: ChildProcess, ask?: () => void, graceMs = 10_000): Promise<void> {
  if (hasEnded(child)) return
  const gone = once(child, 'exit')
  const kill = () => child.kill('SIGKILL')
  const timer = ask ? setTimeout(kill, graceMs) : undefined
  ;(ask ?? kill)()
  await gone
  clearTimeout(timer)
}
