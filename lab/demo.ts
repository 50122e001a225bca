import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { sentenceOf } from '../src/platform/log.ts'
import type { ServiceName } from '../src/platform/services.ts'
import { INFLUX_BACKUP_PORT, INFLUX_PORT } from '../src/stats/names.ts'
import { check } from './check.ts'
import { LabCluster } from './cluster.ts'
import { formCluster, ok } from './form.ts'
import { portsInUse } from './preflight.ts'
import { Progress } from './progress.ts'
import { signalled } from './signalled.ts'
import { until } from './until.ts'

const ADDRESSES = ['127.0.0.5', '127.0.0.6', '127.0.0.7']
/** The checkout: this file is lab/demo.ts in it, or dist/demo.js once bundled. */
const checkout = dirname(import.meta.dirname)
const folder = join(checkout, '.demo')
const program = join(checkout, 'dist/netq.cjs')
const pidFile = join(folder, 'demo.pid')

const usage = `Usage: npm run demo [-- --check | --fresh]
  (nothing)  three telemetry servers and an agent on this machine, until Ctrl-C
  --fresh    the same, without what an earlier demo left
  --check    form, load, kill the master, and count what was lost; ends by itself
`

async function main(words: readonly string[]): Promise<number> {
  const unknown = words.find((word) => !['--check', '--fresh', '--help'].includes(word))
  if (unknown !== undefined || words.includes('--help')) {
    process.stdout.write(unknown === undefined ? usage : `demo: ${unknown} is not an option.\n${usage}`)
    return unknown === undefined ? 0 : 2
  }
  const other = otherDemo()
  if (other !== undefined) {
    process.stderr.write(
      `demo: a demo runs already (pid ${other}). Stop it with Ctrl-C there; nothing was changed here.\n`,
    )
    return 1
  }
  const checking = words.includes('--check')
  const cluster = new LabCluster(checking ? join(folder, 'check') : folder, ADDRESSES, program)
  const progress = new Progress(process.stdout)
  // An earlier demo that was killed leaves its processes; they are known by their files, and only these are ended.
  await cluster.stop()
  const reasons = await portsInUse(ADDRESSES)
  if (reasons.length > 0) {
    process.stderr.write(
      `demo: it needs ports that are taken; nothing was started.\n${reasons.map((r) => `  ${r}\n`).join('')}`,
    )
    process.stderr.write(
      'End what uses them, e.g. Debian\'s own Redis with: systemctl stop redis-server redis-sentinel\n(or let it listen on 127.0.0.1 only: "bind 127.0.0.1" in /etc/redis/redis.conf), and start the demo again.\n',
    )
    return 1
  }
  if (checking || words.includes('--fresh')) removeState(cluster)
  mkdirSync(folder, { recursive: true })
  writeFileSync(pidFile, String(process.pid))
  if (!checking) {
    const statistics = await statisticsServices()
    for (const server of cluster.servers) server.extras = ['netq-notifier', ...statistics]
  }
  const interrupted = signalled()
  try {
    const run = checking ? check(cluster, progress) : demonstrate(cluster, progress, interrupted)
    return await Promise.race([run, interrupted.then(() => 130)])
  } catch (error) {
    process.stderr.write(
      `demo: ${sentenceOf(error)}\nWhat happened is in the logs below ${cluster.folder}/*/var/log\n`,
    )
    return 1
  } finally {
    await cluster.stop()
    rmSync(cluster.places, { force: true })
    rmSync(pidFile, { force: true })
  }
}

/** The main job, for a person. */
async function demonstrate(
  cluster: LabCluster,
  progress: Progress,
  interrupted: Promise<void>,
): Promise<number> {
  await progress.step('three telemetry servers start on 127.0.0.5, .6 and .7', () => cluster.start())
  await formCluster(cluster, progress)
  await progress.step('an agent collects the state of this host', async () => {
    await cluster.nodeServices.start('netqd')
    await ok(cluster.netq(undefined, 'config', 'add', 'server', ...ADDRESSES))
    await ok(cluster.netq(undefined, 'config', 'add', 'stats'))
    await ok(cluster.netq(undefined, 'config', 'restart', 'agent'))
    await until('the agent is fresh', 20_000, async () => {
      const { out } = await cluster.netq('ts01', hostname(), 'show', 'agents')
      return (
        /Fresh/.test(out) &&
        /Count of matching link records: [1-9]/.test(
          (await cluster.netq('ts01', 'show', 'interfaces', 'count')).out,
        )
      )
    })
  })
  for (const words of [
    ['config', 'ts', 'show', 'server'],
    ['show', 'agents'],
  ]) {
    process.stdout.write(`\nts01$ netq ${words.join(' ')}\n${(await cluster.netq('ts01', ...words)).out}`)
  }
  const master = (await cluster.master()) ?? cluster.servers[0]!
  process.stdout.write(`
It runs. From a second terminal, in this folder:
  bin/netq show interfaces                     what the agent sees on this host
  bin/netq show ip routes
  bin/netq show interface-stats                what its interfaces count, from InfluxDB (a sample every 15 s)
  bin/netq show notifications                  what the notifier told, and bin/netq config ts show notifier
  bin/netq --on ts02 config ts show server     as if typed on ts02
  bin/netq --on node show agents               as if typed on the node, whose netqd asks the servers over HTTPS
  bin/netq help                                everything else

Kill the master's server (${master.name}) and watch another take over:
  kill -9 $(cut -d' ' -f1 ${relativeTo(master.paths.pids)}/*)
  watch -n 0.5 bin/netq --on ${cluster.servers.find((one) => one !== master)!.name} config ts show server

Ctrl-C stops everything; what it collected stays in .demo (npm run demo -- --fresh starts anew).
`)
  await interrupted
  process.stdout.write('\nStopping.\n')
  return 0
}

/** Those of the interface statistics, where there is an InfluxDB to run and its ports are free; else says why not. */
async function statisticsServices(): Promise<ServiceName[]> {
  const missing = spawnSync('influxd', ['version'], { stdio: 'ignore' }).error !== undefined
  const [taken] = missing ? [] : await portsInUse(ADDRESSES, [INFLUX_PORT, INFLUX_BACKUP_PORT])
  if (!missing && taken === undefined) return ['netq-influxdb', 'netq-stats-pushd']
  const why = taken ?? 'there is no influxd (Debian: apt-get install influxdb)'
  process.stdout.write(`  Without interface statistics: ${why}.\n`)
  return []
}

function removeState(cluster: LabCluster): void {
  for (const { paths } of cluster.servers) rmSync(paths.root, { recursive: true, force: true })
  rmSync(cluster.node.root, { recursive: true, force: true })
  rmSync(join(cluster.folder, 'agents'), { recursive: true, force: true })
}

/** The pid of a demo of this checkout that is alive. */
function otherDemo(): number | undefined {
  if (!existsSync(pidFile)) return undefined
  const pid = Number(readFileSync(pidFile, 'utf8'))
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    return command.includes(basename(process.argv[1] ?? 'demo')) && pid !== process.pid ? pid : undefined
  } catch {
    return undefined
  }
}

function relativeTo(path: string): string {
  return path.startsWith(`${checkout}/`) ? path.slice(checkout.length + 1) : path
}

process.exitCode = await main(process.argv.slice(2))
process.exit()
