import { Notifier } from '../notifier/notifier.ts'
import { runDaemon } from '../platform/daemon.ts'
import { type Level, makeLog } from '../platform/log.ts'
import { serviceManager } from '../platform/notify.ts'
import { pathsUnder } from '../platform/paths.ts'
import { Releasers } from '../platform/releasers.ts'
import { statusOf } from '../query/freshness.ts'
import { VERSION } from '../version.ts'

let level: Level = 'info'
const log = makeLog('netq-notifier', () => level)
const releasers = new Releasers()
const manager = serviceManager()

async function main(): Promise<void> {
  const notifier = new Notifier({
    paths: pathsUnder(process.env.NETQ_ROOT ?? '/'),
    address: process.env.NETQ_ADDRESS,
    log,
    statusOf,
    logLevel: (wanted) => {
      level = wanted
    },
    looked: () => manager.alive(),
  })
  releasers.add('the notifier', () => notifier.stop())
  notifier.start()
  await manager.ready()
  log.info(`started, version ${VERSION}`)
}

runDaemon({ log, releasers, manager, main })
