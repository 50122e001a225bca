/**
 * Agents or plain writers in a process of their own, so that they can be in any network namespace. What to make is the
 * first argument (load.ts, Made), as JSON; questions come as messages {id, call, args}, answers go as {id, value|error}.
 */
import { join } from 'node:path'
import { PlainWriter } from '../../lab/faults/plain-writer.ts'
import { History } from '../../lab/history.ts'
import { LabServer } from '../../lab/server.ts'
import { syntheticAgent } from '../../lab/synthetic.ts'
import { sentenceOf } from '../../src/platform/log.ts'
import type { LoadCalls, Made } from './load.ts'

const made = JSON.parse(process.argv[2]!) as Made
const history = new History()
const hosts = Array.from({ length: made.count }, (_, i) => `${made.kind}${i + 1}`)

const agents =
  made.kind === 'agent'
    ? hosts.map((host) => {
        const root = join(made.folder, host)
        return syntheticAgent({ host, root, servers: made.servers, changesPerSecond: 40, history })
      })
    : []
const writers =
  made.kind === 'plain'
    ? hosts.map(
        (host) =>
          new PlainWriter(host, made.servers, { replicas: made.replicas ?? 0, watch: history.watch(host) }),
      )
    : []

const calls: LoadCalls = {
  acknowledged: () => history.acknowledged(),
  acknowledgedSince: (time) => history.acknowledgedSince(time),
  complete: () => history.complete(),
  longestGap: (from, to) => history.longestGap(from, to),
  replayed: () => agents.reduce((sum, { agent }) => sum + agent.replayed, 0),
  quiet: async () => {
    for (const { quiet } of agents) quiet()
    await Promise.all(writers.map((writer) => writer.stop()))
  },
  check: (name, address, root) => history.check(new LabServer(name, address, root)),
}

process.on('message', async ({ id, call, args }: { id: number; call: keyof LoadCalls; args: never[] }) => {
  try {
    const value = await (calls[call] as (...args: never[]) => unknown)(...args)
    process.send!({ id, value })
  } catch (error) {
    process.send!({ id, error: sentenceOf(error) })
  }
})
// The channel closes when the test is done with it, or has died.
process.on('disconnect', async () => {
  await Promise.all([...agents.map(({ agent }) => agent.stop()), ...writers.map((writer) => writer.stop())])
  process.exit()
})
for (const { agent } of agents) agent.start()
for (const writer of writers) writer.start()
