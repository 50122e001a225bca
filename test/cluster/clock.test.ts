import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { LabCluster } from '../../lab/cluster.ts'
import { Clocks } from '../../lab/faults/clocks.ts'
import { readSecrets } from '../../src/config/secrets.ts'
import { keysUnder } from '../../src/store/keys.ts'
import { skip } from '../setup/skip.ts'
import { freshAddresses } from '../support/addresses.ts'
import { Ground } from '../support/ground.ts'
import { until } from '../support/until.ts'

const program = join(import.meta.dirname, '../../dist/netq.cjs')
const HOUR_S = 3600

let ground: Ground | undefined
afterEach(() => ground?.stop())

test('a master whose clock was an hour ahead goes on marking its copy when it is set back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 't-'))
  const clocks = Clocks.in(folder)
  if (!clocks) return skip('there is no libfaketime')
  const addresses = freshAddresses()
  ground = new Ground(
    folder,
    new LabCluster(folder, addresses, program, undefined, (ip) => clocks.environment(ip)),
  )
  await ground.form()
  const [master] = ground.addresses
  const { cluster } = keysUnder(readSecrets(ground.at(master).paths)!.prefix)
  const marked = async () => Number(await ground!.redis(master, 'HGET', cluster, 'marker-time')) - Date.now()
  clocks.set(master, HOUR_S)
  await until('it marks its copy an hour ahead', 20_000, async () => (await marked()) > (HOUR_S * 1000) / 2)
  clocks.set(master, 0)
  await until('it marks its copy as of now', 20_000, async () => Math.abs(await marked()) < 10_000)
  // Its Sentinel is in TILT for 30 s after such jumps, and says so.
  expect(await ground.settled(60_000)).toBe(master)
})
