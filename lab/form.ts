import type { LabCluster } from './cluster.ts'
import type { Progress } from './progress.ts'
import { until } from './until.ts'

/** The page's own command, on each of the three. */
export async function formCluster(cluster: LabCluster, progress: Progress): Promise<void> {
  await progress.step(
    `netq config ts add server ${cluster.addresses.join(' ')}, on each of them`,
    async () => {
      for (const { name } of cluster.servers) {
        await until(`cts-auth on ${name} answers`, 10_000, async () => {
          return (await cluster.netq(name, 'config', 'ts', 'show', 'server')).status === 0
        })
        await ok(cluster.netq(name, 'config', 'ts', 'add', 'server', ...cluster.addresses))
      }
      await until('all three servers are ok', 30_000, () => cluster.allOk(cluster.servers[0]!))
    },
  )
}

/** Rejects with what the command said if it failed. */
export async function ok(answer: ReturnType<LabCluster['netq']>): Promise<void> {
  const { out, err, status } = await answer
  if (status !== 0) throw new Error((err || out).trim())
}
