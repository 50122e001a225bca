import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { asAdmin } from '../lab/admin.ts'
import { LabCluster } from '../lab/cluster.ts'
import { AGENTS_ADDRESS, clusterInNamespaces, type LabNetwork, whyNoNetwork } from '../lab/netns.ts'
import type { LabServer } from '../lab/server.ts'
import { until } from '../lab/until.ts'
import { readSecrets } from '../src/config/secrets.ts'
import { keysUnder } from '../src/store/keys.ts'
import { REDIS_PORT } from '../src/store/names.ts'

export const ADDRESSES = ['127.0.44.5', '127.0.44.6', '127.0.44.7']
/** The bundled command, which is beside this bundle. */
export const PROGRAM = join(import.meta.dirname, 'netq.cjs')

/** Three servers that are started, not formed; whatever happens, they are gone after. */
export async function withCluster(run: (cluster: LabCluster) => Promise<void>): Promise<void> {
  await inFolder((folder) => running(new LabCluster(folder, ADDRESSES, PROGRAM), run))
}

/** Three servers that are a cluster and show it. */
export async function withFormed(run: (cluster: LabCluster) => Promise<void>): Promise<void> {
  await withCluster(async (cluster) => {
    await form(cluster)
    await run(cluster)
  })
}

/**
 * A formed cluster in network namespaces, and what a command has to be behind to run on the agents' host there. Throws
 * a sentence where there can be no namespaces.
 */
export async function withFormedInNamespaces(
  run: (cluster: LabCluster, network: LabNetwork, inside: string[]) => Promise<void>,
): Promise<void> {
  const why = whyNoNetwork()
  if (why) throw new Error(`${why}; nothing was measured`)
  await inFolder(async (folder) => {
    const { cluster, network } = clusterInNamespaces(`nqb-${process.pid}-`, folder, PROGRAM)
    network.create()
    try {
      await running(cluster, async () => {
        await form(cluster)
        await run(cluster, network, network.inside(AGENTS_ADDRESS))
      })
    } finally {
      network.remove()
    }
  })
}

/** All servers show all servers as ok. */
export function settled(cluster: LabCluster, ms = 60_000): Promise<void> {
  return until('all agree', ms, async () =>
    (await Promise.all(cluster.servers.map((server) => cluster.allOk(server)))).every(Boolean),
  )
}

/** The master, once there is one that all agree on. */
export async function masterOf(cluster: LabCluster): Promise<LabServer> {
  let master: LabServer | undefined
  await until('there is a master', 60_000, async () => {
    master = await cluster.master()
    return master !== undefined
  })
  return master!
}

/** A connection to a server's Redis with all rights, and the names of its keys. The caller disconnects it. */
export async function adminOf(
  server: LabServer,
): Promise<{ redis: Redis; keys: ReturnType<typeof keysUnder> }> {
  const redis = await asAdmin(server, REDIS_PORT, 60_000)
  return { redis, keys: keysUnder(readSecrets(server.paths)!.prefix) }
}

/** How many changes of master there were so far. */
export async function changesOfMaster(server: LabServer): Promise<number> {
  const { redis, keys } = await adminOf(server)
  try {
    return await redis.xlen(keys.events)
  } finally {
    redis.disconnect()
  }
}

/** A folder of its own that is gone after. */
export async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  try {
    await run(folder)
  } finally {
    process.removeListener('exit', remove)
    remove()
  }
}

async function form(cluster: LabCluster): Promise<void> {
  await cluster.start()
  await cluster.toldOfEachOther()
  await settled(cluster)
}

async function running(cluster: LabCluster, run: (cluster: LabCluster) => Promise<void>): Promise<void> {
  const stop = () => cluster.stop().then(() => process.exit(130))
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  try {
    await run(cluster)
  } finally {
    process.removeListener('SIGINT', stop)
    process.removeListener('SIGTERM', stop)
    await cluster.stop()
  }
}
