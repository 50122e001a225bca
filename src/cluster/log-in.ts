import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { LogInAnswer, LogInRequest } from '../api/types.ts'
import type { Paths } from '../platform/paths.ts'
import { programs } from '../platform/services.ts'

/** A directory service may be slow; whoever logs in has given up by then. Milliseconds. */
const ANSWER_MS = 20_000
/** Each is a process for a few seconds; PAM lets a wrong password wait for two. */
const AT_ONCE = 4

/**
 * Adds the log-in with the accounts of this server: for the console, which runs without rights and asks on its users'
 * behalf. PAM's calls block, so that a helper process makes them.
 */
export function logInApi(server: FastifyInstance, paths: Paths): void {
  let busy = 0
  server.post<{ Body: LogInRequest }>('/v1/log-in', async (call): Promise<LogInAnswer> => {
    const { user, password } = call.body ?? {}
    if (typeof user !== 'string' || typeof password !== 'string' || user === '' || password === '')
      return { ok: false, why: 'the user or the password is missing' }
    if (busy >= AT_ONCE) return { ok: false, why: 'too many log in at once: try again in a few seconds' }
    busy += 1
    try {
      return await askHelper({ user, password }, paths)
    } finally {
      busy -= 1
    }
  })
}

/** One question to the program netq-pam, on its standard input. Rejects with a sentence that has no password in it. */
function askHelper(question: LogInRequest, paths: Paths): Promise<LogInAnswer> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(programs, 'netq-pam.js')], {
      env: { ...process.env, NETQ_ROOT: paths.root },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), ANSWER_MS)
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    // A helper that ends before it has read is told of by its exit.
    child.stdin.on('error', () => {})
    child.stdin.end(JSON.stringify(question))
    child.on('error', () => {})
    child.on('close', (code) => {
      clearTimeout(timer)
      if (code === 0) resolve(JSON.parse(text) as LogInAnswer)
      else reject(new Error('the log-in could not be checked: the log of cts-auth says why'))
    })
  })
}
