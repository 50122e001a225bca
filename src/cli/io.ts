/** Where a command writes. Text is written as it is: a line ends with its own `\n`. */
export interface Io {
  out(text: string | Uint8Array): Promise<void>
  err(text: string): Promise<void>
  /** Asks whoever sits at the terminal; undefined where nobody does. */
  confirm(question: string): Promise<boolean | undefined>
}

/**
 * This process's own outputs. Whoever reads them may go away (`netq ... | head`): then there is nothing more to do
 * and nothing to say, and the process ends as other programs do, with the status of a broken pipe.
 */
export function processIo(): Io {
  const write = (stream: NodeJS.WriteStream, text: string | Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      if (stream.listenerCount('error') === 0) stream.on('error', () => {})
      stream.write(text, (error) => {
        if (!error) resolve()
        else if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(141)
        else reject(new Error(`the output cannot be written (${error.message})`))
      })
    })
  return {
    out: (text) => write(process.stdout, text),
    err: (text) => write(process.stderr, text),
    confirm: async (question) => {
      if (!process.stdin.isTTY) return undefined
      await write(process.stdout, `${question} [y/N] `)
      const answer = await new Promise<string>((resolve) => {
        process.stdin.once('data', (data) => resolve(String(data)))
        process.stdin.once('end', () => resolve(''))
      })
      process.stdin.pause()
      return /^y(es)?\s*$/i.test(answer)
    },
  }
}
