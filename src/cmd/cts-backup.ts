import { appendFileSync, mkdirSync } from 'node:fs'
import { takeBackup } from '../backup/take.ts'
import { readNetqConfig } from '../config/netq-yml.ts'
import { readSecrets } from '../config/secrets.ts'
import { makeLog, sentenceOf } from '../platform/log.ts'
import { pathsUnder } from '../platform/paths.ts'

const paths = pathsUnder(process.env.NETQ_ROOT ?? '/')
const log = makeLog('cts-backup', 'info', keepLine)

/** `cts-backup` makes a backup now; `cts-backup --due`, which the timer runs every 5 minutes, if the last is old enough. */
async function main(words: readonly string[]): Promise<number> {
  if (words.some((word) => word !== '--due')) {
    process.stderr.write('Usage: cts-backup [--due]\n')
    return 2
  }
  const { backup: settings } = await readNetqConfig(paths)
  const secrets = readSecrets(paths)
  if (!secrets) throw new Error('this is no telemetry server: cts-auth has not run here yet')
  const address = process.env.NETQ_ADDRESS
  const made = await takeBackup({ paths, address, secrets, settings, log, ifDue: words.includes('--due') })
  if (typeof made === 'string' && !words.includes('--due')) log.info(`no backup was made: ${made}`)
  return 0
}

/** Under systemd rsyslog keeps what is written to standard error; what a person starts keeps it itself. */
function keepLine(line: string): void {
  if (process.env.JOURNAL_STREAM !== undefined) return
  try {
    mkdirSync(paths.ctsLogs, { recursive: true })
    appendFileSync(paths.backupLog, line, { mode: 0o640 })
  } catch {
    // It was said on standard error.
  }
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  log.error(`no backup was made: ${sentenceOf(error)}`)
  return 1
})
