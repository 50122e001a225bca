import { until } from '../lab/until.ts'
import { ADDRESSES, settled, withCluster } from './clusters.ts'
import type { Bench } from './frame.ts'

const ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
]

export const formation: Bench = {
  usage:
    '  formation [trials]    three fresh servers until all agree, in all six orders of running the command',
  async run({ trials = 20 }, findings) {
    for (let n = 0; n < trials; n++) {
      await withCluster(async (cluster) => {
        await cluster.start()
        const answers = () =>
          Promise.all(cluster.servers.map(({ name }) => cluster.netq(name, 'config', 'ts', 'show', 'server')))
        await until('all answer', 20_000, async () =>
          (await answers()).every(({ status, out }) => status === 0 && / ok /.test(out)),
        )
        const begun = Date.now()
        const names = ORDERS[n % ORDERS.length]!.map((i) => cluster.servers[i]!.name)
        const add = (name: string) => cluster.netq(name, 'config', 'ts', 'add', 'server', ...ADDRESSES)
        // Every second round of the six orders starts the three commands at once.
        if (Math.floor(n / ORDERS.length) % 2 === 1) await Promise.all(names.map(add))
        else for (const name of names) await add(name)
        await settled(cluster, 30_000)
        findings.add('formation', 'ms', Date.now() - begun, names.join(' '))
        const { out } = await cluster.netq('ts01', 'config', 'ts', 'show', 'server')
        if (!new RegExp(`\\n${ADDRESSES[0]} +master .* ok `).test(out)) findings.wrong(`${names}\n${out}`)
      })
    }
  },
}
