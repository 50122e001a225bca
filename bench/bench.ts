import { sentenceOf } from '../src/platform/log.ts'
import { agent } from './agent.ts'
import { runMadeUpNodes } from './agents-child.ts'
import { cli } from './cli.ts'
import { failover, processLost, switchover } from './failover.ts'
import { formation } from './formation.ts'
import { type Asked, type Bench, Findings } from './frame.ts'
import { ingest } from './ingest.ts'
import { latency } from './latency.ts'
import { scale } from './scale.ts'

const benches: Record<string, Bench> = {
  failover,
  switchover,
  process: processLost,
  formation,
  ingest,
  latency,
  scale,
  agent,
  cli,
}

const usage = `Usage: npm run bench -- <what> [part...] [trials] [--minutes N] [--agents N]
${Object.values(benches)
  .map((bench) => bench.usage)
  .join('\n')}
`

async function main(words: readonly string[]): Promise<number> {
  const [what = '', ...rest] = words
  // What the benches start of themselves: agents in a process of their own.
  if (what === 'made-up-nodes') return runMadeUpNodes(rest[0]!)
  const bench = Object.hasOwn(benches, what) ? benches[what] : undefined
  const asked = askedFor(rest)
  if (!bench || !asked) {
    process.stderr.write(usage)
    return 2
  }
  const findings = new Findings()
  try {
    await bench.run(asked, findings)
  } catch (error) {
    findings.wrong(`it could not be measured to its end: ${sentenceOf(error)}`)
  }
  process.stdout.write(findings.summary(`npm run bench -- ${words.join(' ')}`))
  return findings.failed ? 1 : 0
}

/** The words after the name of the bench; undefined if they are none that can be. */
function askedFor(words: readonly string[]): Asked | undefined {
  const asked: { -readonly [K in keyof Asked]: Asked[K] } & { parts: string[] } = { parts: [] }
  for (let i = 0; i < words.length; i++) {
    const option = /^--(minutes|agents)$/.exec(words[i]!)?.[1] as 'minutes' | 'agents' | undefined
    const number = Number(option ? words[++i] : words[i])
    if (Number.isNaN(number) && !option && /^[a-z]/.test(words[i]!)) asked.parts.push(words[i]!)
    else if (!(number > 0)) return undefined
    else asked[option ?? 'trials'] = number
  }
  return asked
}

main(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error: unknown) => {
    process.stderr.write(`bench: ${sentenceOf(error)}\n`)
    process.exit(1)
  },
)
