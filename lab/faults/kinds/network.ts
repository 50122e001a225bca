import { AGENTS_ADDRESS } from '../../netns.ts'
import type { Field } from '../field.ts'
import { type Fault, struck } from './fault.ts'

const HOLD = [1000, 20_000] as const

/** Cuts these directions, until it is healed. */
function cut(field: Field, on: string, directions: readonly (readonly [from: string, to: string])[]) {
  for (const [from, to] of directions) field.network.cut(from, to)
  return struck(on, () => {
    for (const [from, to] of directions) field.network.mend(from, to)
  })
}

const both = (a: string, b: string) =>
  [
    [a, b],
    [b, a],
  ] as const

const cutOff: Fault = {
  kind: 'server cut off',
  weight: 4,
  hold: HOLD,
  async begin(field, random) {
    const { server, called } = await field.victim(random)
    // With the agents on its side in one case of three: then it is they who could be misled.
    const withAgents = random.next() < 0.33
    const others = field.network.addresses.filter(
      (ip) => ip !== server.address && !(withAgents && ip === AGENTS_ADDRESS),
    )
    const on = withAgents ? `${called}, together with the agents` : called
    return cut(
      field,
      on,
      others.flatMap((ip) => both(server.address, ip)),
    )
  },
}

const oneDirection: Fault = {
  kind: 'one direction cut',
  weight: 3,
  hold: HOLD,
  async begin(field, random) {
    const { server, called } = await field.victim(random)
    const out = random.next() < 0.5
    const others = field.network.addresses.filter((ip) => ip !== server.address)
    const directions = others.map((ip): [string, string] =>
      out ? [server.address, ip] : [ip, server.address],
    )
    return cut(field, `${called}: nothing ${out ? 'leaves' : 'reaches'} it`, directions)
  },
}

const bridge: Fault = {
  kind: 'two servers apart',
  weight: 3,
  hold: HOLD,
  async begin(field, random) {
    const [a, b, c] = random.shuffled(field.own)
    const on = `${a!.name} and ${b!.name}, both see ${c!.name}`
    return cut(field, on, both(a!.address, b!.address))
  },
}

const agentsCut: Fault = {
  kind: 'agents cut off',
  weight: 2,
  hold: HOLD,
  async begin(field, random) {
    const { server, called } = await field.victim(random)
    return cut(field, `from ${called}`, both(AGENTS_ADDRESS, server.address))
  },
}

const narrow: Fault = {
  kind: 'slow and lossy line',
  weight: 3,
  hold: [2000, 20_000],
  async begin(field, random) {
    const { server, called } = await field.victim(random)
    const [rate, queueMs] = random.one([
      ['256kbit', 800],
      ['512kbit', 400],
      ['1mbit', 200],
      ['2mbit', 50],
    ] as const)
    field.network.narrow(server.address, rate, queueMs)
    return struck(`${called}: ${rate}, ${queueMs} ms of queue`, () => field.network.widen(server.address))
  },
}

export const networkFaults: readonly Fault[] = [cutOff, oneDirection, bridge, agentsCut, narrow]
