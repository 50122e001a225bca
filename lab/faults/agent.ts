import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { endChild, hasEnded } from '../child.ts'
import type { Settings } from './agent-settings.ts'

/** One of the harness' agents, seen from the harness: a process that is started, hurt and told to be quiet. */
export class FaultAgent {
  readonly host: string
  readonly root: string
  readonly journal: string
  private readonly settings: Omit<Settings, 'life'>
  private readonly program: string
  private readonly inside: readonly string[]
  private child: ChildProcess | undefined
  private life = 0

  /**
   * @param program the bundle of fault-agent.ts
   * @param inside what enters its network namespace and becomes the command behind it
   */
  constructor(settings: Omit<Settings, 'life'>, program: string, inside: readonly string[]) {
    this.host = settings.host
    this.root = settings.root
    this.journal = settings.journal
    this.settings = settings
    this.program = program
    this.inside = inside
  }

  get pid(): number | undefined {
    return this.running ? this.child!.pid : undefined
  }

  private get running(): boolean {
    return this.child !== undefined && !hasEnded(this.child)
  }

  /** Starts it if it does not run. */
  start(): void {
    if (this.running) return
    this.life += 1
    const settings: Settings = { ...this.settings, life: this.life }
    const [command = '', ...argv] = [...this.inside, process.execPath, this.program, JSON.stringify(settings)]
    const log = openSync(`${this.journal}.log`, 'a')
    this.child = spawn(command, argv, { stdio: ['ignore', log, log, 'ipc'] })
    // A message that it does not take, because it was killed, is of no use to it either.
    this.child.on('error', () => {})
    closeSync(log)
  }

  /** Resolves once it is gone. */
  async kill(): Promise<void> {
    if (this.child) await endChild(this.child)
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.running) this.child!.kill(signal)
  }

  /** Ends the changes; it still pushes what it made. */
  quiet(): void {
    if (this.running) this.child!.send('quiet', () => {})
  }

  resume(): void {
    if (this.running) this.child!.send('resume', () => {})
  }
}
