import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LabServer } from '../lab/server.ts'
import type { ServiceName } from '../src/platform/services.ts'

/** What a process has used: seconds of processor time, with what its ended children used, and resident bytes now. */
export interface Usage {
  readonly cpuSeconds: number
  readonly residentBytes: number
}

/** Ticks a second in which the kernel tells processor times, on every Linux that Node runs on. */
const TICKS = 100

/** Throws if there is no such process. */
export function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = [11, 12, 13, 14].reduce((sum, i) => sum + Number(fields[i]), 0)
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return { cpuSeconds: ticks / TICKS, residentBytes: Number(resident ?? 0) * 1024 }
}

/** The process of a service of a lab server. Throws if it was never started. */
export function pidOf(server: LabServer, service: ServiceName): number {
  return Number(readFileSync(join(server.paths.pids, service), 'utf8').split(' ')[0])
}

/** Measures what processes use from now on: the returned function gives, by name, shares of one core since then. */
export function sinceNow(pids: ReadonlyMap<string, number>): () => Map<string, number> {
  const begun = performance.now()
  const before = new Map([...pids].map(([name, pid]) => [name, usageOf(pid).cpuSeconds]))
  return () => {
    const seconds = (performance.now() - begun) / 1000
    return new Map(
      [...pids].map(([name, pid]) => [name, (usageOf(pid).cpuSeconds - before.get(name)!) / seconds]),
    )
  }
}

/** `12 %, ...` of shares by name. */
export function shares(used: ReadonlyMap<string, number>): string {
  return [...used]
    .map(([name, share]) => `${name} ${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`)
    .join(', ')
}
