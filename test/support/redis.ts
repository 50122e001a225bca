import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { networkRights, redisConfig } from '../../src/cluster/redis-conf.ts'
import { secretsFrom } from '../../src/config/secrets.ts'
import { pathsUnder } from '../../src/platform/paths.ts'
import { connect } from '../../src/store/connection.ts'
import { loadLibrary } from '../../src/store/library.ts'
import { ADMIN, REDIS_PORT } from '../../src/store/names.ts'
import { freshAddresses } from './addresses.ts'
import { until } from './until.ts'

/** A real Redis of its own, with the users and the library of a telemetry server, as a single server runs it. */
export async function startStore() {
  const root = mkdtempSync(join(tmpdir(), 'st-'))
  const paths = { ...pathsUnder(root), redisData: root, redisLog: join(root, 'redis.log') }
  const secrets = secretsFrom('ab'.repeat(32))
  const [address] = freshAddresses()
  const config = join(root, 'redis.conf')
  writeFileSync(config, redisConfig(paths, secrets, { address, follow: 'nobody', member: false }))
  const child = spawn('redis-server', [config], { stdio: 'ignore' })
  const open: Redis[] = []
  const target = { host: address, port: REDIS_PORT }
  const as = async (login?: { username: string; password: string }) => {
    const redis = await connect({ ...target, ...(login ? { login } : {}) })
    open.push(redis)
    return redis
  }
  let admin: Redis | undefined
  await until('Redis answers', 5000, async () => {
    admin = await as({ username: ADMIN, password: secrets.admin })
    return true
  })
  const store = {
    admin: admin!,
    secrets,
    address,
    /** A connection; without a log-in it is the network's. */
    as,
    stop: async () => {
      for (const redis of open) redis.disconnect()
      child.kill('SIGKILL')
      await new Promise((resolve) => child.once('exit', resolve))
      rmSync(root, { recursive: true, force: true })
    },
  }
  try {
    await admin!.call('REPLICAOF', 'NO', 'ONE')
    await admin!.call('ACL', 'SETUSER', 'default', ...networkRights(secrets))
    await loadLibrary(admin!, secrets.prefix)
    return store
  } catch (error) {
    await store.stop()
    throw error
  }
}
