import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../lab/until.ts'
import { pathsUnder } from '../src/platform/paths.ts'

/** What the node on the agents' host calls itself. */
export const HOST = 'leaf01'

/** A real netq-agent on the agents' host, until `run` ends. @param run is given its pid */
export async function withNodeAgent(
  inside: readonly string[],
  folder: string,
  servers: readonly string[],
  run: (pid: number) => Promise<void>,
): Promise<void> {
  const paths = pathsUnder(join(folder, 'leaf01'))
  mkdirSync(join(paths.root, 'etc/netq'), { recursive: true })
  writeFileSync(
    paths.netqConfig,
    `netq-agent:\n  hostname: ${HOST}\n  servers:\n${servers.map((ip) => `    - ${ip}\n`).join('')}`,
  )
  const [command = '', ...argv] = [...inside, process.execPath, join(import.meta.dirname, 'netq-agent.js')]
  const child = spawn(command, argv, {
    stdio: 'ignore',
    env: { ...process.env, NETQ_ROOT: paths.root },
  })
  const gone = new Promise((resolve) => child.once('exit', resolve))
  try {
    await until('the agent is connected', 30_000, () =>
      /"state":"connected"/.test(readFileSync(paths.agentStatus, 'utf8')),
    )
    await run(child.pid!)
  } finally {
    child.kill('SIGTERM')
    await gone
  }
}
