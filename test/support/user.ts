import { execFile, execFileSync } from 'node:child_process'
import { skip } from '../setup/skip.ts'

/** A user of this machine by number, who need not exist: no test adds one. */
export interface User {
  readonly uid: number
  readonly groups?: readonly number[]
}

/** What the user runs, and how it ended. */
export interface Ended {
  readonly status: number
  readonly out: string
  readonly err: string
}

/** Skips the test unless other users can be made use of here, and may read these files. */
export function needsUsers(user: User, ...files: string[]): void {
  if (process.getuid?.() !== 0) skip('needs root, to be another user')
  for (const file of files) {
    const [command = '', ...rest] = [...become(user), 'head', '-c', '1', file]
    try {
      execFileSync(command, rest, { stdio: 'ignore' })
    } catch {
      skip(`needs setpriv (util-linux), and that every user may read ${file}`)
    }
  }
}

/** Runs a command as this user. */
export function runAs(user: User, argv: readonly string[], env: Record<string, string>): Promise<Ended> {
  const [command = '', ...rest] = [...become(user), ...argv]
  const { NETQ_ROOT: _, NETQ_DEMO: __, ...inherited } = process.env
  return new Promise((resolve) => {
    execFile(command, rest, { env: { ...inherited, ...env } }, (error, out, err) => {
      resolve({ status: error ? Number(error.code ?? 1) : 0, out, err })
    })
  })
}

function become({ uid, groups = [] }: User): string[] {
  const others = groups.length > 0 ? ['--groups', groups.join()] : ['--clear-groups']
  return ['setpriv', '--reuid', String(uid), '--regid', String(uid), ...others]
}
