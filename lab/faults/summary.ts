import type { Options } from './options.ts'
import type { RoundFindings } from './round.ts'

/** Tells a person how a run goes, line by line, and at the end what all of it came to. */
export class Summary {
  private readonly options: Options
  private readonly begun = Date.now()
  private readonly out = process.stdout
  private rounds = 0
  private faults = 0
  private violations = 0
  private acknowledged = 0
  private lost = 0
  private duplicated = 0
  private forgotten = 0
  private gap = 0
  private agreedMs = 0
  private readonly failed: number[] = []

  constructor(options: Options) {
    this.options = options
  }

  say(round: number, line: string): void {
    const seconds = ((Date.now() - this.begun) / 1000).toFixed(1).padStart(7)
    this.out.write(`S${this.options.seed} R${round} ${seconds} s  ${line}\n`)
  }

  /** @returns whether everything was right */
  add(round: number, found: RoundFindings): boolean {
    this.rounds += 1
    this.faults += found.faultsDone
    this.acknowledged += found.acknowledged
    this.lost += found.lost
    this.duplicated += found.duplicated
    this.forgotten += found.forgotten
    this.gap = Math.max(this.gap, found.gap)
    this.agreedMs = Math.max(this.agreedMs, found.agreedMs)
    const right = found.faults.length === 0
    const forgotten = found.forgotten > 0 ? `, taken back by a restore ${found.forgotten}` : ''
    this.say(
      round,
      `CHECK ${right ? 'right' : 'WRONG'}: acknowledged ${found.acknowledged}, lost ${found.lost}, duplicated ${found.duplicated}${forgotten}, longest write gap ${found.gap} ms, agreed after ${found.agreedMs} ms`,
    )
    for (const fault of found.faults) this.say(round, `  VIOLATION ${fault}`)
    if (!right) this.fail(round)
    return right
  }

  /** A round that could not be checked at all. */
  broken(round: number, why: string): void {
    this.rounds += 1
    this.say(round, `  VIOLATION the round could not be ended: ${why}`)
    this.fail(round)
  }

  /** @param folder where the rounds that failed are kept. @returns the exit status */
  end(folder: string): number {
    const { seed } = this.options
    const minutes = ((Date.now() - this.begun) / 60_000).toFixed(0)
    const date = new Date(this.begun).toISOString().slice(0, 10)
    const cells = [
      date,
      seed,
      minutes,
      this.rounds,
      this.faults,
      this.acknowledged,
      this.lost,
      this.duplicated,
    ]
    const row = [...cells, this.forgotten, `${this.gap} ms`, `${this.agreedMs} ms`, this.violations]
    this.out.write(
      `\n${this.rounds} rounds, ${this.faults} faults, ${this.violations} rounds with a violation. For docs/reliability.md:\n| ${row.join(' | ')} |\n`,
    )
    for (const round of this.failed)
      this.out.write(
        `Round ${round} failed: journals, logs and data are in ${folder}/round-${round}. Again: npm run faults -- --seed ${seed} --round ${round} --rounds 1\n`,
      )
    return this.violations === 0 ? 0 : 1
  }

  private fail(round: number): void {
    this.violations += 1
    this.failed.push(round)
  }
}
