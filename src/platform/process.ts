import { readFileSync } from 'node:fs'

/** What identifies a process for good: its number alone is used again by the kernel. */
export interface Process {
  pid: number
  /** Field 22 of /proc/<pid>/stat: when it started, in clock ticks since boot. */
  started: string
}

/** A live process as the kernel has it; undefined when there is none (a zombie is none). */
export function processState(pid: number): Process | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return /\) [ZX] /.test(text) ? undefined : parseStat(text)
  } catch {
    return undefined
  }
}

/** A line of /proc/<pid>/stat; undefined if it is not one. */
export function parseStat(text: string | undefined): Process | undefined {
  // The command name, in parentheses, may itself hold spaces and parentheses: fields count from the last ')'.
  const [, pid, rest] = /^(\d+) \(.*\) (.*)$/s.exec(text ?? '') ?? []
  const started = rest?.split(' ')[19]
  return pid && started ? { pid: Number(pid), started } : undefined
}
