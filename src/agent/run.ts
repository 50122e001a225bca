import { spawn } from 'node:child_process'
import { sentenceOf } from '../platform/log.ts'

/** What became of one run of a program. */
export type Outcome =
  | { readonly kind: 'output'; readonly text: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly sentence: string }

/** Far above what the largest tables print; what prints more is broken, and must not take the node's memory. */
const MAX_OUTPUT = 128 << 20
const MAX_COMPLAINT = 4096

/**
 * Programs are run as an administrator would, in a language that the parsers know. Their folders are appended because
 * a service may be started with a path that lacks sbin.
 */
export function environment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C', PATH: `${process.env.PATH ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin` }
}

/**
 * Runs a program to its end and gives its standard output. Never rejects. When `timeoutMs` have passed or `signal`
 * is aborted, the program and whatever it started are killed, and the run has failed.
 */
export async function run(argv: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<Outcome> {
  try {
    return await start(argv, timeoutMs, signal)
  } catch (error) {
    // Some failures of fork and exec (no memory, arguments too long) are thrown instead of being an event.
    return { kind: 'failed', sentence: `${nameOf(argv)} cannot be run: ${sentenceOf(error)}` }
  }
}

function start(argv: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<Outcome> {
  const [program = '', ...args] = argv
  const name = nameOf(argv)
  return new Promise((resolve) => {
    // A group of its own: killing only a wrapper script would leave its child, which holds the pipe open.
    const child = spawn(program, args, {
      env: environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const output: Buffer[] = []
    let bytes = 0
    let complaint = ''
    let why: string | undefined
    const end = (reason: string) => {
      why ??= reason
      if (child.pid !== undefined) killGroup(child.pid)
    }
    const abort = () => end('was stopped')
    const timer = setTimeout(() => end(`did not end within ${timeoutMs / 1000} s and was killed`), timeoutMs)
    signal.addEventListener('abort', abort)
    const finish = (outcome: Outcome) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      resolve(outcome)
    }
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_OUTPUT) end(`printed more than ${MAX_OUTPUT >> 20} MB and was killed`)
      else output.push(chunk)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (complaint.length < MAX_COMPLAINT) complaint += text
    })
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') finish({ kind: 'absent' })
      else finish({ kind: 'failed', sentence: `${name} cannot be run: ${error.message}` })
    })
    child.on('close', (code, killedBy) => {
      if (why === undefined && code === 0)
        return finish({ kind: 'output', text: Buffer.concat(output).toString() })
      const said = complaint.trim().split('\n')[0]
      const ended = why ?? (killedBy ? `was ended by ${killedBy}` : `exited with ${code}`)
      finish({ kind: 'failed', sentence: `${name} ${ended}${said ? `: ${said}` : ''}` })
    })
    if (signal.aborted) abort()
  })
}

/** As an operator would type it; a script is called by the name that it was given (tables/script.ts). */
function nameOf(argv: readonly string[]): string {
  return argv[0] === 'sh' && argv[3] !== undefined ? `the script "${argv[3]}"` : argv.join(' ')
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // it ended by itself
  }
}
