/** Tells a person what is going on: on a terminal a line that is rewritten when the step is done, elsewhere plain lines. */
export class Progress {
  private readonly out: NodeJS.WriteStream
  private readonly begun = Date.now()

  constructor(out: NodeJS.WriteStream) {
    this.out = out
  }

  /** Runs one step and says how long it took. What it rejects with is passed on. */
  async step<T>(what: string, run: () => Promise<T>): Promise<T> {
    const start = Date.now()
    if (this.out.isTTY) this.out.write(`  ... ${what}`)
    try {
      const result = await run()
      this.end(`  ok  ${what} (${seconds(start)})`)
      return result
    } catch (error) {
      this.end(`  NOT ${what} (${seconds(start)})`)
      throw error
    }
  }

  /** Seconds since the beginning. */
  elapsed(): string {
    return seconds(this.begun)
  }

  private end(line: string): void {
    this.out.write(this.out.isTTY ? `\r\x1b[K${line}\n` : `${line}\n`)
  }
}

function seconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`
}
