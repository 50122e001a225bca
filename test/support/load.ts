import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { endChild } from '../../lab/child.ts'
import type { Verdict } from '../../lab/history.ts'
import type { LabServer } from '../../lab/server.ts'

/** What pushes changes: real agents over made-up nodes, or writers without their protection. */
export interface Made {
  readonly kind: 'agent' | 'plain'
  readonly count: number
  readonly servers: readonly string[]
  readonly folder: string
  /** How many replicas have to confirm before a plain writer believes. */
  readonly replicas?: number
}

/** What can be asked of the process that pushes; times are ms since the epoch. */
export interface LoadCalls {
  acknowledged(): number
  acknowledgedSince(time: number): boolean
  complete(): boolean
  longestGap(from: number, to: number): number
  replayed(): number
  /** No more changes are made; agents still push what they have. */
  quiet(): Promise<void>
  check(name: string, address: string, root: string): Promise<Verdict>
}

interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** Changes that are pushed by a process of its own (load-child.ts), which may be in another network namespace. */
export class Load {
  private readonly made: Made
  private readonly inside: readonly string[]
  private readonly pending = new Map<number, (answer: Answer) => void>()
  private child: ChildProcess | undefined
  private next = 0

  /** @param inside what to put before the command, e.g. to enter a network namespace */
  constructor(made: Made, inside: readonly string[] = []) {
    this.made = made
    this.inside = inside
  }

  start(): void {
    const script = join(import.meta.dirname, 'load-child.ts')
    const [command = '', ...argv] = [...this.inside, process.execPath, script, JSON.stringify(this.made)]
    this.child = spawn(command, argv, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.child.on('message', (answer: Answer) => {
      this.pending.get(answer.id)?.(answer)
      this.pending.delete(answer.id)
    })
  }

  acknowledged(): Promise<number> {
    return this.ask('acknowledged')
  }

  acknowledgedSince(time: number): Promise<boolean> {
    return this.ask('acknowledgedSince', time)
  }

  complete(): Promise<boolean> {
    return this.ask('complete')
  }

  longestGap(from: number, to: number): Promise<number> {
    return this.ask('longestGap', from, to)
  }

  replayed(): Promise<number> {
    return this.ask('replayed')
  }

  quiet(): Promise<void> {
    return this.ask('quiet')
  }

  check({ name, address, paths }: LabServer): Promise<Verdict> {
    return this.ask('check', name, address, paths.root)
  }

  async stop(): Promise<void> {
    const { child } = this
    if (child) await endChild(child, () => child.disconnect(), 3000)
  }

  private ask<K extends keyof LoadCalls>(
    call: K,
    ...args: Parameters<LoadCalls[K]>
  ): Promise<Awaited<ReturnType<LoadCalls[K]>>> {
    const id = this.next++
    return new Promise((resolve, reject) => {
      this.pending.set(id, ({ value, error }) => {
        if (error === undefined) resolve(value as Awaited<ReturnType<LoadCalls[K]>>)
        else reject(new Error(error))
      })
      this.child!.send({ id, call, args })
    })
  }
}
