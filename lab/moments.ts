import { closeSync, openSync, readSync, statSync, watch } from 'node:fs'

/** Ends the waiting for a moment. */
export type Forget = () => void

/**
 * Strikes once, at the moment in which a text that matches is written to the end of this file. A millisecond or two pass
 * until then (inotify).
 * @param strike is given what matched
 */
export function whenWritten(path: string, pattern: RegExp, strike: (match: RegExpExecArray) => void): Forget {
  const file = openSync(path, 'r')
  let at = statSync(path).size
  let over = false
  const forget = () => {
    if (over) return
    over = true
    watcher.close()
    closeSync(file)
  }
  const watcher = watch(path, () => {
    if (over) return
    const bytes = Buffer.alloc(64 * 1024)
    const read = readSync(file, bytes, 0, bytes.length, at)
    at += read
    const match = pattern.exec(bytes.toString('utf8', 0, read))
    if (!match) return
    strike(match)
    forget()
  })
  return forget
}
