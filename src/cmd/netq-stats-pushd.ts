import { readNetqConfig } from '../config/netq-yml.ts'
import { runDaemon } from '../platform/daemon.ts'
import { makeLog } from '../platform/log.ts'
import { Loop } from '../platform/loop.ts'
import { serviceManager } from '../platform/notify.ts'
import { pathsUnder } from '../platform/paths.ts'
import { Releasers } from '../platform/releasers.ts'
import { Database } from '../stats/database.ts'
import { Filler } from '../stats/fill.ts'
import { influxUrl } from '../stats/names.ts'
import { othersBy } from '../stats/others.ts'
import { Pushd } from '../stats/pushd.ts'
import { StatsStream } from '../stats/stream.ts'
import { VERSION } from '../version.ts'

const log = makeLog('netq-stats-pushd')
const releasers = new Releasers()
const manager = serviceManager()

async function main(): Promise<void> {
  const paths = pathsUnder(process.env.NETQ_ROOT ?? '/')
  const address = process.env.NETQ_ADDRESS
  const { retentionDays } = (await readNetqConfig(paths)).stats
  const database = new Database(influxUrl(address))
  const stream = new StatsStream(paths, address)
  releasers.add('the connection to Redis', () => stream.close())
  const pushd = new Pushd({ stream, database, retentionDays, log })
  const filler = new Filler({ database, others: othersBy(paths.ctsAuthSocket), retentionDays, log })
  const passed = () => manager.alive()
  const pushing = new Loop('statistics', log, () => pushd.step(), passed)
  releasers.add('the pushing', () => pushing.stop())
  const filling = new Loop('statistics of before', log, (signal) => filler.step(signal))
  releasers.add('the filling', () => filling.stop())
  await manager.ready()
  log.info(`started, version ${VERSION}; samples are kept for ${retentionDays} days`)
}

runDaemon({ log, releasers, manager, main })
