import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { PROGRAM, withFormed } from './clusters.ts'
import type { Bench } from './frame.ts'

export const cli: Bench = {
  usage: '  cli [trials]          the whole of `netq show agents`, in turns with `node -e 0`',
  async run({ trials = 40 }, findings) {
    await withFormed(async (cluster) => {
      const { NETQ_ROOT: _, ...environment } = process.env
      const env = { ...environment, NETQ_DEMO: cluster.places }
      const took = (argv: readonly [string, ...string[]]) => {
        const begun = performance.now()
        const { status, stderr } = spawnSync(argv[0], argv.slice(1), { env })
        if (status !== 0) findings.wrong(`${argv.join(' ')} exited with ${status}: ${stderr}`)
        return performance.now() - begun
      }
      const bare = () => took([process.execPath, '-e', '0'])
      const shell = join(dirname(PROGRAM), '../bin/netq')
      // The first of each brings the files into memory.
      for (let n = 0; n <= trials; n++) {
        const direct = [took([process.execPath, PROGRAM, 'show', 'agents']), bare()] as const
        const shelled = [took([shell, 'show', 'agents']), bare()] as const
        if (n === 0) continue
        findings.pair('netq.cjs show agents', direct[0], 'node -e 0', direct[1], 'ms')
        findings.pair('bin/netq show agents', shelled[0], 'node -e 0 beside bin/netq', shelled[1], 'ms')
      }
      findings.aim(
        'netq show agents / node -e 0, median',
        findings.at('netq.cjs show agents / node -e 0', 0.5),
        1.5,
        'x',
      )
    })
  },
}
