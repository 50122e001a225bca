import { execFile } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { ShowRequest } from '../src/api/types.ts'
import { ask } from '../src/platform/ask.ts'
import { withFormedInNamespaces } from './clusters.ts'
import type { Bench } from './frame.ts'
import { HOST, withNodeAgent } from './node-agent.ts'

/** The interface that goes down and up, and how long it is left alone between, in milliseconds, and a random part more. */
const INTERFACE = 'swp1'
const REST_MS = 700

const exec = promisify(execFile)

export const latency: Bench = {
  usage:
    '  latency [trials]      `ip link set swp1 down` on a node until a netqd shows it, the three servers in turns',
  async run({ trials = 60 }, findings) {
    await withFormedInNamespaces(async (cluster, _network, inside) => {
      const ip = (...words: string[]) => exec(inside[0]!, [...inside.slice(1), 'ip', ...words])
      await ip('link', 'add', INTERFACE, 'type', 'veth', 'peer', 'name', 'peer1')
      for (const name of ['peer1', INTERFACE]) await ip('link', 'set', name, 'up')
      await withNodeAgent(inside, cluster.folder, cluster.addresses, async () => {
        for (let n = 0; n < trials; n++) {
          const server = cluster.servers[n % 3]!
          const verb = n % 2 === 0 ? 'down' : 'up'
          await delay(REST_MS + Math.random() * 1000)
          const begun = performance.now()
          await ip('link', 'set', INTERFACE, verb)
          const asked = performance.now()
          while ((await stateOn(server.paths.netqdSocket)) !== verb) {
            if (performance.now() - begun > 20_000) throw new Error(`${server.name} never showed ${verb}`)
            await delay(2)
          }
          const shown = performance.now()
          // ip itself takes some milliseconds, within which the interface changes.
          findings.add(
            'link changed until shown',
            'ms',
            shown - begun,
            `${verb} on ${server.name}, ip ${Math.round(asked - begun)}`,
          )
        }
      })
      findings.aim('link changed until shown, p99', findings.at('link changed until shown', 0.99), 500, 'ms')
    })
  },
}

/** What `netq leaf01 show interfaces swp1 json` asks; undefined while the interface is not there. */
async function stateOn(socket: string): Promise<string | undefined> {
  const request: ShowRequest = {
    table: 'link',
    show: 0,
    hostname: HOST,
    args: { 'remote-interface': INTERFACE, json: true },
  }
  const answer = await ask<{ link?: { interface: string; state: string }[] }>(socket, '/v1/show', request)
  return answer.link?.find((row) => row.interface === INTERFACE)?.state
}
