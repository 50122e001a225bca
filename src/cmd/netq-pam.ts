import { text } from 'node:stream/consumers'
import type { LogInAnswer, LogInRequest } from '../api/types.ts'
import { mayAdminister } from '../platform/groups.ts'
import { makeLog, sentenceOf } from '../platform/log.ts'
import { accountOf } from '../platform/native.ts'
import { logInProblem } from '../platform/pam.ts'
import { type Paths, pathsUnder } from '../platform/paths.ts'

/**
 * Started by cts-auth for one log-in: reads a LogInRequest from its standard input, to the end, and writes a LogInAnswer
 * to its standard output. Ends with 0 if it could find out, with 1 and a line in the log if not.
 */
async function main(): Promise<void> {
  const { user, password } = questionIn(await text(process.stdin))
  const answer = await check(user, password, pathsUnder(process.env.NETQ_ROOT ?? '/'))
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}

function questionIn(json: string): LogInRequest {
  try {
    return JSON.parse(json) as LogInRequest
  } catch {
    // The parser's own message would quote the password.
    throw new Error('what it was asked is not JSON')
  }
}

async function check(user: string, password: string, paths: Paths): Promise<LogInAnswer> {
  // The C library would read such a text only up to there.
  if (/\0/.test(user + password)) return { ok: false, why: 'the user or the password is wrong' }
  const why = await logInProblem(user, password, paths.pam)
  if (why !== undefined) return { ok: false, why }
  const account = await accountOf(user)
  const administers = account !== undefined && mayAdminister(account.uid, account.groups, paths)
  return { ok: true, user, administers }
}

main().catch((error: unknown) => {
  makeLog('netq-pam').error(sentenceOf(error))
  process.exitCode = 1
})
