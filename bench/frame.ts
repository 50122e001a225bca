import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'

/** What was asked for on the command line; a bench has its own default for what is not there. */
export interface Asked {
  /** Words after the name of the bench: which parts of it. */
  readonly parts: readonly string[]
  readonly trials?: number
  readonly minutes?: number
  readonly agents?: number
}

export interface Bench {
  /** Lines of the usage: what it takes, and what it measures. */
  readonly usage: string
  run(asked: Asked, findings: Findings): Promise<void>
}

interface Series {
  readonly unit: string
  readonly values: number[]
}

/**
 * What one bench found: series of numbers, a line printed for each as it comes, sentences beside them, and what was wrong.
 * The summary is what docs/benchmarks.md takes.
 */
export class Findings {
  private readonly series = new Map<string, Series>()
  private readonly facts: string[] = []
  private readonly begun = new Date()
  private readonly loadBefore = loadavg()[0]!
  private wrongs = 0

  /** One number of a series, e.g. `add('write gap, server lost', 'ms', 1873)`. */
  add(name: string, unit: string, value: number, remark = ''): void {
    const series = this.series.get(name) ?? { unit, values: [] }
    this.series.set(name, series)
    series.values.push(value)
    say(`${name} ${series.values.length}: ${shown(value)} ${unit}${remark ? ` ${remark}` : ''}`)
  }

  /** A pair that was measured one beside the other: both, and their ratio, which is what counts on a busy machine. */
  pair(name: string, value: number, beside: string, other: number, unit: string): void {
    this.add(name, unit, value)
    this.add(beside, unit, other)
    this.add(`${name} / ${beside}`, 'x', value / other)
  }

  /** A sentence for the summary. */
  fact(text: string): void {
    this.facts.push(text)
    say(text)
  }

  /** Whether a number is as good as it is to be. To fall short is told, and is no failure of the bench. */
  aim(
    what: string,
    value: number | undefined,
    bound: number,
    unit: string,
    better: 'less' | 'more' = 'less',
  ): void {
    if (value === undefined) return
    const reached = better === 'less' ? value <= bound : value >= bound
    const sign = better === 'less' ? '<=' : '>='
    this.fact(
      `aim: ${what} ${sign} ${bound} ${unit}: ${shown(value)}, ${reached ? 'reached' : 'NOT reached'}`,
    )
  }

  /** Something that must never be: the bench fails, whatever its figures. */
  wrong(sentence: string): void {
    this.wrongs++
    this.facts.push(`WRONG ${sentence}`)
    say(`WRONG ${sentence}`)
  }

  get failed(): boolean {
    return this.wrongs > 0
  }

  /** The value below which this share of a series is, by the nearest rank; undefined of a series that is not there. */
  at(name: string, share: number): number | undefined {
    const values = [...(this.series.get(name)?.values ?? [])].sort((a, b) => a - b)
    return values[Math.max(0, Math.ceil(share * values.length) - 1)]
  }

  /** Markdown. @param command as it was typed */
  summary(command: string): string {
    const rows = [...this.series].map(([name, { unit, values }]) => {
      const at = [0, 0.5, 0.9, 0.99, 1].map((share) => shown(this.at(name, share)!))
      return `| ${name}, ${unit} | ${values.length} | ${at.join(' | ')} |`
    })
    const table =
      rows.length === 0
        ? []
        : ['| what | n | min | median | p90 | p99 | max |', '|---|---|---|---|---|---|---|', ...rows, '']
    return `${[
      '',
      `\`${command}\`, ${this.begun.toISOString().slice(0, 16).replace('T', ' ')} UTC, on ${machine()}; load ${this.loadBefore.toFixed(1)} before, ${loadavg()[0]!.toFixed(1)} after:`,
      '',
      ...table,
      ...this.facts.map((fact) => `- ${fact}`),
      `- wrong: ${this.wrongs}`,
    ].join('\n')}\n`
  }
}

/** A line of what is going on. */
export function say(line: string): void {
  process.stdout.write(`  ${line}\n`)
}

/** Three figures that count, and whole numbers whole. */
function shown(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return String(Math.round(value))
  return String(Number(value.toPrecision(3)))
}

function machine(): string {
  const system = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux'
  const redis = /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1]
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${availableParallelism()} cores (${cpus()[0]!.model.trim()}), ${memory} GB, ${system}, Redis ${redis}, Node ${process.version}`
}
