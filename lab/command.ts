import { execFile } from 'node:child_process'

/** What a command printed, and its exit status. */
export interface Answer {
  readonly out: string
  readonly err: string
  readonly status: number
}

/** A command that has been started: what it comes to, and a way to end it before. */
export interface Running {
  /** Never rejects; what is ended early, or could not be started, has the status 1. */
  readonly done: Promise<Answer>
  end(): void
}

export function run(argv: readonly string[], env: NodeJS.ProcessEnv): Running {
  const [command = '', ...rest] = argv
  let end = () => {}
  const done = new Promise<Answer>((resolve) => {
    const child = execFile(command, rest, { env }, (error, out, err) => {
      resolve({ out, err, status: error ? Number(error.code) || 1 : 0 })
    })
    end = () => child.kill('SIGKILL')
  })
  return { done, end: () => end() }
}
