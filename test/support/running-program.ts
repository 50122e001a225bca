import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** One of our programs, from its bundle, for as long as a test needs it. */
export class RunningProgram {
  readonly child: ChildProcess
  /** What it has logged so far. */
  log = ''

  /** @param stdio further file descriptors, from 3 on */
  constructor(
    name: string,
    env: Record<string, string>,
    before: readonly string[] = [],
    stdio: number[] = [],
  ) {
    const program = join(import.meta.dirname, `../../dist/${name}.js`)
    const [command = '', ...rest] = [...before, process.execPath, program]
    const { NETQ_ROOT: _, NETQ_DEMO: __, NOTIFY_SOCKET: ___, ...inherited } = process.env
    this.child = spawn(command, rest, {
      env: { ...inherited, ...env },
      stdio: ['ignore', 'inherit', 'pipe', ...stdio],
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.log += text
    })
  }

  /** Tells it to end, and waits. @returns its exit status */
  async stop(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGTERM')
      await once(this.child, 'exit')
    }
    return this.child.exitCode
  }
}
