import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Machine } from '../../lab/machine.ts'
import { until } from './until.ts'

/** One command of the page. */
export interface Step {
  /** The machine on which it is typed. */
  readonly on: string
  readonly command: string
  /** What the page shows of its answer; empty where it shows nothing. */
  readonly shown: readonly string[]
}

/** The commands of the page by the headings of its sections, in order. */
export function pageSections(): Map<string, Step[]> {
  const text = readFileSync(join(import.meta.dirname, '../machines/page.txt'), 'utf8')
  const sections = new Map<string, Step[]>()
  for (const part of text.split(/^== /m).slice(1)) {
    const [heading = '', ...lines] = part.trimEnd().split('\n')
    const steps: (Step & { shown: string[] })[] = []
    for (const line of lines) {
      const [, on, command] = /^cumulus@([\w-]+):~\$ (.*)$/.exec(line) ?? []
      if (on !== undefined && command !== undefined) steps.push({ on, command, shown: [] })
      else steps.at(-1)!.shown.push(line)
    }
    sections.set(heading, steps)
  }
  return sections
}

/** Types a command of the page on its machine, and expects the page's answer: tables within some seconds, all else at once. */
export async function typed(machine: Machine, { command, shown }: Step): Promise<void> {
  if (command.endsWith('show server')) return expectTable(machine, shown)
  const { out, err, status } = await machine.type('cumulus', command)
  expect(`${command} on ${machine.name}: status ${status} ${status === 0 ? '' : out + err}`).toBe(
    `${command} on ${machine.name}: status 0 `,
  )
  if (shown.length > 0) expect(out.trimEnd().split('\n')).toEqual(shown)
}

/** Waits until a machine shows this table of servers, but for the ages and the order of replicas. No table: one with all ok. */
export async function expectTable(machine: Machine, shown: readonly string[] = []): Promise<void> {
  const wanted = tableIn(shown)
  let seen = ''
  await until(`${machine.name} shows the servers as they are to be`, 60_000, async () => {
    const { out, err } = await machine.type('cumulus', 'netq config ts show server')
    seen = out + err
    const rows = tableIn(out.split('\n'))
    if (wanted.length > 0) return JSON.stringify(rows) === JSON.stringify(wanted)
    return rows.length > 1 && rows.slice(1).every((row) => row[4] === 'ok')
  }).catch((error: Error) => {
    throw new Error(`${error.message}; it shows:\n${seen}\ninstead of:\n${shown.join('\n')}`)
  })
}

/** The cells of all columns but the last; what is separated by commas is sorted. */
function tableIn(lines: readonly string[]): string[][] {
  return lines
    .filter((line) => /\S {2,}\S/.test(line) && !line.startsWith('---'))
    .map((line) => {
      const cells = line.trim().split(/ {2,}/).slice(0, -1)
      return cells.map((cell) => cell.split(', ').sort().join(', '))
    })
}

/** Expects that systemd is content with every machine that is on: nothing failed, and nothing is still being started. */
export async function expectHealthy(machines: readonly Machine[]): Promise<void> {
  for (const machine of machines.filter(({ on }) => on)) {
    await until(`${machine.name} is running`, 60_000, async () => {
      const { out } = await machine.system('systemctl', 'is-system-running')
      if (out.trim() === 'running') return true
      const failed = await machine.system('systemctl', 'list-units', '--failed', '--no-legend')
      const jobs = await machine.system('systemctl', 'list-jobs', '--no-legend')
      throw new Error(`${out.trim()}: ${failed.out}${jobs.out}`)
    })
  }
}
