export type Level = 'debug' | 'info' | 'warning' | 'error'
const order: readonly Level[] = ['debug', 'info', 'warning', 'error']

export interface Log {
  debug(sentence: string): void
  info(sentence: string): void
  warning(sentence: string): void
  error(sentence: string): void
}

/**
 * One line a sentence, in the form that operators grep: `2026-11-23T15:04:05.123Z netq-agent[812]: INFO: sentence`.
 * Written to standard error; whoever starts the process (systemd, or the child-process platform) keeps it in the log file.
 * @param threshold what is less than this is left out; a function is asked each time, where it can change
 * @param also is given each line too, for a program that nobody keeps the lines of
 */
export function makeLog(
  program: string,
  threshold: Level | (() => Level) = 'info',
  also: (line: string) => void = () => {},
): Log {
  const at = (level: Level) => (sentence: string) => {
    const least = typeof threshold === 'string' ? threshold : threshold()
    if (order.indexOf(level) < order.indexOf(least)) return
    const line = `${new Date().toISOString()} ${program}[${process.pid}]: ${level.toUpperCase()}: ${sentence}\n`
    process.stderr.write(line)
    also(line)
  }
  return { debug: at('debug'), info: at('info'), warning: at('warning'), error: at('error') }
}

/** The message of anything that was thrown, on one line. */
export function sentenceOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, '; ')
}
