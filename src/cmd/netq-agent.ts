import { hostname } from 'node:os'
import { Agent } from '../agent/agent.ts'
import { Collector } from '../agent/collector.ts'
import { readNetqConfig } from '../config/netq-yml.ts'
import { makeLog, sentenceOf } from '../platform/log.ts'
import { pathsUnder } from '../platform/paths.ts'
import { onStopSignal, Releasers } from '../platform/releasers.ts'
import { tables } from '../tables/index.ts'
import { VERSION } from '../version.ts'

const releasers = new Releasers()

async function main(): Promise<void> {
  const paths = pathsUnder(process.env.NETQ_ROOT ?? '/')
  const { agent: config } = await readNetqConfig(paths)
  const log = makeLog('netq-agent', config.logLevel)
  onStopSignal(() => releasers.releaseAll(log))
  const agent = new Agent({
    paths,
    host: config.hostname ?? hostname(),
    servers: config.servers,
    port: config.port,
    heartbeatMs: config.heartbeatSeconds * 1000,
    log,
    readings: (onRows) => new Collector({ tables, onRows, log }),
  })
  agent.start()
  releasers.add('the agent', () => agent.stop())
  log.info(`started, version ${VERSION}, for ${config.servers.join(' ')}`)
}

main().catch((error: unknown) => {
  makeLog('netq-agent').error(`cannot start: ${sentenceOf(error)}`)
  process.exit(1)
})
