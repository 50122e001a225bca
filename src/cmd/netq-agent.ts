import { hostname } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import { Agent } from '../agent/agent.ts'
import { Collector } from '../agent/collector.ts'
import { readSample } from '../agent/stats.ts'
import { readNetqConfig } from '../config/netq-yml.ts'
import { makeLog, sentenceOf } from '../platform/log.ts'
import { serviceManager } from '../platform/notify.ts'
import { pathsUnder } from '../platform/paths.ts'
import { onStopSignal, Releasers } from '../platform/releasers.ts'
import { tables } from '../tables/index.ts'
import { VERSION } from '../version.ts'

// A switch has little memory and a reading of a large table is all garbage a moment later: with 10,000 routes that change
// 110 MB instead of 290 MB, at 2.6 times the processor time of such a reading (measured), which the rest after it bounds.
setFlagsFromString('--optimize-for-size')

const releasers = new Releasers()
const manager = serviceManager()

async function main(): Promise<void> {
  const paths = pathsUnder(process.env.NETQ_ROOT ?? '/')
  const { agent: config } = await readNetqConfig(paths)
  const log = makeLog('netq-agent', config.logLevel)
  onStopSignal(() => {
    manager.stopping()
    return releasers.releaseAll(log)
  })
  const agent = new Agent({
    paths,
    host: config.hostname ?? hostname(),
    servers: config.servers,
    port: config.port,
    heartbeatMs: config.heartbeatSeconds * 1000,
    log,
    readings: (onRows) => new Collector({ tables, onRows: feeding(onRows), log }),
    ...(config.stats ? { sample: { lines: readSample } } : {}),
  })
  agent.start()
  releasers.add('the agent', () => agent.stop())
  await manager.ready()
  log.info(`started, version ${VERSION}, for ${config.servers.join(' ')}`)
}

/**
 * What takes the readings, and feeds systemd's watchdog with each that was taken: every 15 s if nothing happens. Whether a
 * server can be reached is not this process's life.
 */
function feeding<Rows extends unknown[]>(onRows: (...rows: Rows) => void): (...rows: Rows) => void {
  return (...rows) => {
    onRows(...rows)
    manager.alive()
  }
}

main().catch((error: unknown) => {
  makeLog('netq-agent').error(`cannot start: ${sentenceOf(error)}`)
  process.exit(1)
})
