/** How long InfluxDB may take, in milliseconds: on a slow disk a write waits for its fsync. */
const ANSWER_MS = 20_000

/** InfluxDB took the request and refuses it for what is in it: the same again would be refused again. */
export class Refused extends Error {}

/** One series of an answer; the values are in the order of the columns, times in ms since the epoch. */
export interface Series {
  readonly tags?: Readonly<Record<string, string>>
  readonly columns: readonly string[]
  readonly values: readonly (readonly unknown[])[]
}

/**
 * The HTTP interface of InfluxDB 1.x: `/write` takes line protocol, `/query` InfluxQL. Everything rejects with one
 * sentence that names the InfluxDB; Refused is the only error that trying again does not help.
 */
export class Influx {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  /** Writes lines with times in ms. It is on the disk when this resolves. */
  async write(database: string, policy: string, lines: readonly string[]): Promise<void> {
    const query = new URLSearchParams({ db: database, rp: policy, precision: 'ms' })
    await this.call(`/write?${query}`, { method: 'POST', body: lines.join('\n') })
  }

  /** The series of the answer to each statement. */
  async query(statements: string): Promise<Series[][]> {
    const answer = await this.ask(statements, 'application/json')
    const { results } = (await answer.json()) as { results: { error?: string; series?: Series[] }[] }
    return results.map(({ error, series }) => {
      if (error !== undefined) throw new Error(`InfluxDB (${this.url}) answers: ${error}`)
      return series ?? []
    })
  }

  /** The answer to one statement as CSV: JSON would round what is above 2^53. */
  async csv(statement: string): Promise<string> {
    return (await this.ask(statement, 'application/csv')).text()
  }

  private ask(statements: string, accept: string): Promise<Response> {
    // Statements that change something have to be POSTed, and the others may be.
    const body = new URLSearchParams({ q: statements, epoch: 'ms' })
    return this.call('/query', { method: 'POST', body, headers: { accept } })
  }

  private async call(path: string, request: RequestInit): Promise<Response> {
    let answer: Response
    try {
      answer = await fetch(`${this.url}${path}`, { ...request, signal: AbortSignal.timeout(ANSWER_MS) })
    } catch (error) {
      throw new Error(`InfluxDB (${this.url}) ${plain(error)}`)
    }
    if (answer.ok) return answer
    const text = await answer.text()
    const sentence = `InfluxDB (${this.url}) answers: ${reasonIn(text) ?? `status ${answer.status}`}`
    throw answer.status === 400 ? new Refused(sentence) : new Error(sentence)
  }
}

function reasonIn(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { error?: string }).error
  } catch {
    return undefined
  }
}

/** What went wrong with a connection, in an operator's words. */
function plain(error: unknown): string {
  const { name, cause } = error as Error & { cause?: { code?: string; message?: string } }
  if (name === 'TimeoutError') return `did not answer within ${ANSWER_MS / 1000} s`
  if (cause?.code === 'ECONNREFUSED') return 'is not running'
  return `cannot be asked: ${cause?.message ?? (error as Error).message}`
}
