import type { Source } from './table.ts'

/** For what may be known half a minute late, so that the agent at rest stays below 1 % of a processor. */
export const EVERY_OTHER = { oneIn: 2 }

/**
 * A source that is a few lines for `sh`, with programs that every Debian has: for what no single program prints.
 * @param name what it reads, for the log: `sh` gets it as its own name
 */
export function scriptSource(name: string, text: string, more: Partial<Source> = {}): Source {
  return { argv: ['sh', '-c', text, name], triggers: [], ...more }
}
