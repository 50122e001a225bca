import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'

/** A command that only root may do was typed by another user; nothing was changed. The message says what to type. */
export class NeedsRoot extends Error {}

/** The installed command, which the package's rule for sudo is about. */
const installed = '/usr/bin/netq'

/**
 * Does the command as root where sudo lets this user without asking: the members of the group netq, who administer, type
 * the same on every machine. Resolves to its exit status; undefined where sudo does not, or is not there.
 */
export async function runAsRoot(words: readonly string[]): Promise<number | undefined> {
  if (!existsSync(installed)) return undefined
  const command = [installed, ...words]
  const allowed = (await sudo(['-n', '-l', ...command], 'ignore')) === 0
  return allowed ? sudo(['-n', ...command], 'inherit') : undefined
}

function sudo(argv: readonly string[], stdio: 'ignore' | 'inherit'): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn('sudo', argv, { stdio })
    child.once('error', () => resolve(127))
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
