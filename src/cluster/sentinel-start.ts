import type { Secrets } from '../config/secrets.ts'
import { readIfThere, replaceFile } from '../platform/files.ts'
import type { Paths } from '../platform/paths.ts'
import type { Services } from '../platform/services.ts'
import type { LocalConnections } from './local.ts'
import { epochIn, sentinelConfig, type Watch } from './sentinel-conf.ts'

/** How often a Sentinel asks its Redis servers for their state, in milliseconds. It forgets that when it ends. */
export const INFO_PERIOD_MS = 500
/** How long it may take until it answers, in milliseconds. */
const START_MS = 2000

/**
 * Starts the Sentinel of this server, anew if it runs, with nothing but the list, the master and the epoch. Rejects with a
 * sentence if it does not answer.
 */
export async function startSentinel(
  paths: Paths,
  secrets: Secrets,
  services: Services,
  local: LocalConnections,
  watch: Omit<Watch, 'votedEpoch'>,
): Promise<void> {
  await services.stop('sentinel')
  const before = readIfThere(paths.sentinelConfig)
  const known = {
    // The reports may not have the newest epoch: that of a failover which only this Sentinel saw to its end.
    epoch: Math.max(watch.epoch, epochIn(before, 'config-epoch')),
    votedEpoch: epochIn(before, 'leader-epoch'),
  }
  replaceFile(paths.sentinelConfig, sentinelConfig(paths, secrets, { ...watch, ...known }), 0o600)
  await services.start('sentinel')
  const end = performance.now() + START_MS
  for (;;) {
    try {
      return await hastenSentinel(local)
    } catch (error) {
      if (performance.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

/** It reads its Redis' roles and priorities every 10 s by default: a switchover would wait for that. */
export async function hastenSentinel(local: LocalConnections): Promise<void> {
  await (await local.sentinel()).call('SENTINEL', 'DEBUG', 'INFO-PERIOD', INFO_PERIOD_MS)
}
