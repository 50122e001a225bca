import { execFileSync } from 'node:child_process'
import { createServer } from 'node:net'
import { SHOW_PORT } from '../src/api/types.ts'
import { PEER_PORT } from '../src/cluster/peers.ts'
import { HEALTH_PORT } from '../src/health/server.ts'
import { REDIS_PORT, SENTINEL_PORT } from '../src/store/names.ts'

const NEEDED = [REDIS_PORT, SENTINEL_PORT, PEER_PORT, SHOW_PORT, HEALTH_PORT]

/** Why the servers cannot run on these addresses, a sentence a reason; none if they can. */
export async function portsInUse(addresses: readonly string[], ports = NEEDED): Promise<string[]> {
  const reasons: string[] = []
  for (const address of addresses) {
    for (const port of ports) {
      const error = await tryPort(address, port)
      if (error === 'EADDRINUSE') reasons.push(`${address}:${port} is in use${holder(address, port)}`)
      else if (error) reasons.push(`${address}:${port} cannot be used: ${error}`)
    }
  }
  return reasons
}

function tryPort(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}

/** Who has the port, as far as the kernel tells this user. */
function holder(address: string, port: number): string {
  try {
    const lines = execFileSync('ss', ['-Hltnp', `sport = :${port}`], { encoding: 'utf8' }).split('\n')
    for (const line of lines) {
      const [, , , local = '', , users = ''] = line.trim().split(/\s+/)
      const where = local.slice(0, local.lastIndexOf(':'))
      if (where !== address && where !== '0.0.0.0' && where !== '*' && where !== '[::]') continue
      const [, name, pid] = /\(\("([^"]+)",pid=(\d+)/.exec(users) ?? []
      const by = name ? ` by ${name} (pid ${pid})` : ''
      return where === address ? by : `${by}, which listens on every address (${local})`
    }
  } catch {
    // Without ss the operator still learns which port it is.
  }
  return ''
}
