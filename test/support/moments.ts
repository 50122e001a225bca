import { connect } from 'node:net'
import { type Forget, whenWritten } from '../../lab/moments.ts'
import type { LabServer } from '../../lab/server.ts'
import { readSecrets } from '../../src/config/secrets.ts'
import { ADMIN, REDIS_PORT } from '../../src/store/names.ts'

/**
 * Strikes once, at the moment in which cts-auth of this server logs a line that matches: what it decides it logs before it
 * does it, so that what the line announces has begun or is about to.
 */
export function whenLogged(server: LabServer, pattern: RegExp, strike: () => void): Forget {
  return whenWritten(server.paths.ctsAuthLog, pattern, strike)
}

/**
 * Strikes once, at the moment in which the Redis of this server answers this command so; it is asked again and again, every
 * fraction of a millisecond. (MONITOR does not show what administrators do.) Resolves once it asks.
 */
export function whenAnswers(
  server: LabServer,
  command: string,
  pattern: RegExp,
  strike: () => void,
): Promise<Forget> {
  const { admin } = readSecrets(server.paths)!
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server.address, port: REDIS_PORT, localAddress: server.address })
    const forget = () => socket.destroy()
    socket.on('error', reject)
    socket.on('data', (answer) => {
      resolve(forget)
      if (pattern.test(String(answer))) {
        strike()
        forget()
      } else socket.write(`${command}\r\n`)
    })
    socket.write(`AUTH ${ADMIN} ${admin}\r\n`)
  })
}

/** Something that can be killed by its number without waiting; made before the moment comes. */
export async function killer(server: LabServer, name: 'cts-auth' | 'redis'): Promise<() => void> {
  const running = await server.services.running(name)
  if (!running) throw new Error(`${name} of ${server.name} does not run`)
  return () => process.kill(running.pid, 'SIGKILL')
}
