import { type Fault, struck } from './fault.ts'

/** What happens to a machine rather than to a process or the network: its clock and its disk. */

const clockJump: Fault = {
  kind: 'clock jump',
  weight: 3,
  hold: [2000, 20_000],
  async begin(field, random) {
    const { server, called } = await field.victim(random)
    const seconds = random.one([-3600, -120, -10, 10, 120, 3600])
    field.clocks!.set(server.address, seconds)
    return struck(`${called}: ${seconds > 0 ? '+' : ''}${seconds} s, and back`, () =>
      field.clocks!.set(server.address, 0),
    )
  },
}

const serverDiskFull: Fault = {
  kind: 'disk of a server full',
  weight: 3,
  hold: [2000, 15_000],
  async begin(field, random) {
    const { server, called } = await field.victim(random)
    field.disks.fill(server.paths.root)
    return struck(called, () => field.disks.free(server.paths.root))
  },
}

const agentDiskFull: Fault = {
  kind: 'disk of an agent full',
  weight: 2,
  hold: [2000, 15_000],
  fillsAgents: true,
  async begin(field, random) {
    const agent = random.one(field.agents)
    field.disks.fill(agent.root)
    return struck(agent.host, () => field.disks.free(agent.root))
  },
}

export const machineFaults = (clocks: boolean): readonly Fault[] => [
  ...(clocks ? [clockJump] : []),
  serverDiskFull,
  agentDiskFull,
]
