import { hostname } from 'node:os'
import { readSecrets } from '../config/secrets.ts'
import { sentenceOf } from '../platform/log.ts'
import { pathsUnder } from '../platform/paths.ts'
import { makeArchive } from '../support/archive.ts'

/** `cts-support`: an archive of configuration, logs and state for a support case; it works with every daemon down. */
async function main(words: readonly string[]): Promise<number> {
  if (words.length > 0) {
    process.stderr.write('Usage: cts-support\n')
    return 2
  }
  const paths = pathsUnder(process.env.NETQ_ROOT ?? '/')
  const source = { paths, address: process.env.NETQ_ADDRESS, secrets: readSecrets(paths) }
  const archive = await makeArchive(source, process.env.NETQ_ADDRESS ?? hostname())
  process.stdout.write(
    `${archive}\nIt holds configuration, logs and state of this server, and no passwords or keys.\n`,
  )
  return 0
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`No archive was made: ${sentenceOf(error)}\n`)
  return 1
})
