import { existsSync, readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import type { ServiceName } from '../../../src/platform/services.ts'
import { type Forget, whenWritten } from '../../moments.ts'
import { type Fault, struck } from './fault.ts'

type Service = Extract<ServiceName, 'redis' | 'sentinel' | 'cts-auth' | 'netqd'>

/** How long the pause at a promotion waits for one, in milliseconds; a failover takes two seconds or three. */
const PROMOTION_MS = 15_000

/** The most that a power loss takes from the append only file: about a second of this load, in bytes. */
const FORGOTTEN_BYTES = 64 * 1024

/** kill -9 of one process of a server. Redis and Sentinel are started again by their cts-auth, the others by systemd. */
function killed(service: Service, weight: number): Fault {
  return {
    kind: `kill -9 ${service}`,
    weight,
    hold: service === 'redis' || service === 'sentinel' ? [500, 2000] : [0, 10_000],
    async begin(field, random) {
      const { server, called } = await field.victim(random)
      await server.services.kill(service)
      // An operator, or a watchdog, may be faster than cts-auth.
      const atOnce =
        random.next() < 0.3 && (service !== 'sentinel' || existsSync(server.paths.sentinelConfig))
      if (atOnce) await server.services.start(service)
      return struck(`${called}${atOnce ? ', started again at once' : ''}`, async () => {
        if (service === 'cts-auth' || service === 'netqd') await server.services.start(service)
      })
    },
  }
}

const killServer: Fault = {
  kind: 'kill -9 of a whole server',
  weight: 3,
  hold: [0, 15_000],
  async begin(field, random) {
    const { server, called } = await field.victim(random)
    await server.kill()
    return struck(called, () => server.start())
  },
}

const killAgent: Fault = {
  kind: 'kill -9 of an agent',
  weight: 3,
  hold: [0, 8000],
  async begin(field, random) {
    const agent = random.one(field.agents)
    await agent.kill()
    return struck(agent.host, () => agent.start())
  },
}

const powerLoss: Fault = {
  kind: 'power loss of all servers',
  weight: 2,
  hold: [0, 5000],
  async begin(field, random) {
    await Promise.all(field.own.map((server) => server.kill()))
    const order = random.shuffled(field.own).map((server) => ({ server, after: random.between(0, 2500) }))
    return struck(`back in the order ${order.map(({ server }) => server.name).join(', ')}`, async () => {
      for (const { server, after } of order) {
        await new Promise((resolve) => setTimeout(resolve, after))
        await server.start()
      }
    })
  },
}

/** A power loss takes what the disk did not have yet, too: the end of the append only file, up to a second of it. */
const powerLossOfOne: Fault = {
  kind: 'power loss of a server',
  weight: 2,
  hold: [0, 10_000],
  alone: 'only the other two have what this one forgets',
  async begin(field, random) {
    const { server, called } = await field.victim(random)
    await server.kill()
    const folder = join(server.paths.redisData, 'appendonlydir')
    const newest = readdirSync(folder)
      .filter((name) => name.endsWith('.incr.aof'))
      .sort(byNumber)
      .at(-1)
    const path = join(folder, newest!)
    const lost = Math.min(statSync(path).size, random.between(1, FORGOTTEN_BYTES))
    truncateSync(path, statSync(path).size - lost)
    return struck(`${called}, its append only file lacks the last ${lost} bytes`, () => server.start())
  },
}

/** `appendonly.aof.10.incr.aof` is newer than `appendonly.aof.9.incr.aof`. */
const byNumber = (a: string, b: string) => Number(/\d+/.exec(a)) - Number(/\d+/.exec(b))

const pauseProcess: Fault = {
  kind: 'pause of a process',
  weight: 3,
  hold: [500, 30_000],
  async begin(field, random) {
    const { server, called } = await field.victim(random)
    const service = random.one<Service>(['redis', 'redis', 'sentinel', 'cts-auth', 'netqd'])
    const running = await server.services.running(service)
    if (running) process.kill(running.pid, 'SIGSTOP')
    return struck(`${service} of ${called}`, () => field.signal(server, 'SIGCONT'))
  },
}

const pauseServer: Fault = {
  kind: 'pause of a whole server',
  weight: 3,
  hold: [500, 30_000],
  async begin(field, random) {
    const { server, called } = await field.victim(random)
    await field.signal(server, 'SIGSTOP')
    return struck(called, () => field.signal(server, 'SIGCONT'))
  },
}

const pauseAgent: Fault = {
  kind: 'pause of an agent',
  weight: 1,
  hold: [500, 20_000],
  async begin(field, random) {
    const agent = random.one(field.agents)
    agent.signal('SIGSTOP')
    return struck(agent.host, () => agent.signal('SIGCONT'))
  },
}

/** The master is lost, and who is promoted in its place is frozen in that very moment. */
const pauseAtPromotion: Fault = {
  kind: 'pause at the promotion',
  weight: 2,
  hold: [3000, 20_000],
  async begin(field, random) {
    const { master } = await field.agreed(10_000)
    const replicas = field.own.filter(({ address }) => address !== master)
    const waits: Forget[] = []
    const frozen = new Promise<string>((resolve) => {
      const timer = setTimeout(() => resolve(''), PROMOTION_MS)
      const pattern = random.next() < 0.5 ? /\+selected-slave slave (\S+):/ : /\+promoted-slave slave (\S+):/
      for (const { paths } of replicas) {
        const wait = whenWritten(paths.sentinelLog, pattern, ([, ip = '']) => {
          clearTimeout(timer)
          resolve(ip)
        })
        waits.push(wait)
      }
    })
    await field.at(master).kill()
    const ip = await frozen
    for (const forget of waits) forget()
    if (ip !== '') await field.signal(field.at(ip), 'SIGSTOP')
    const on = `${field.at(master).name} killed, ${ip === '' ? 'nobody promoted' : `${field.at(ip).name} frozen`}`
    return struck(on, async () => {
      if (ip !== '') await field.signal(field.at(ip), 'SIGCONT')
      await field.at(master).start()
    })
  },
}

export const processFaults: readonly Fault[] = [
  killed('redis', 3),
  killed('sentinel', 2),
  killed('cts-auth', 2),
  killed('netqd', 1),
  killServer,
  killAgent,
  powerLoss,
  powerLossOfOne,
  pauseProcess,
  pauseServer,
  pauseAgent,
  pauseAtPromotion,
]
