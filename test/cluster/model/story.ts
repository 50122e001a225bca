import fc from 'fast-check'
import { decide } from '../../../src/cluster/decide.ts'
import { World } from './world.ts'

const ADDRESSES = ['10.0.0.5', '10.0.0.6', '10.0.0.7', '10.0.0.8'] as const
const THREE = ADDRESSES.slice(0, 3)
/** How long the servers may take to be one healthy cluster again once nothing is broken any more, in milliseconds. */
const CONVERGE_MS = 90_000
/** How often an operator looks whether there is something left to tell a server, in milliseconds. */
const OPERATOR_MS = 15_000

/** What happens to the servers, and what their operators do. Servers are numbers in the list ADDRESSES. */
type Event =
  | {
      readonly kind: 'crash' | 'boot' | 'kill redis' | 'kill sentinel' | 'restart cts-auth'
      readonly on: number
    }
  | { readonly kind: 'freeze'; readonly on: number; readonly ms: number }
  | { readonly kind: 'slow'; readonly on: number; readonly lag: number }
  | { readonly kind: 'cut'; readonly from: number; readonly to: number }
  | { readonly kind: 'isolate' | 'lose disk'; readonly on: number }
  | { readonly kind: 'heal' }
  | { readonly kind: 'order'; readonly on: number; readonly turn: number }
  | { readonly kind: 'replace'; readonly on: number; readonly place: 1 | 2 }

export interface Story {
  readonly seed: number
  /** Whether the cluster is formed before the first event. */
  readonly formed: boolean
  readonly events: readonly { readonly afterMs: number; readonly event: Event }[]
  /** The server that never comes back; -1 for none. */
  readonly absent: number
}

const on = fc.nat(2)
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('crash' as const), on }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('boot' as const), on }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('kill redis' as const), on }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill sentinel' as const), on }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart cts-auth' as const), on }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('freeze' as const),
      on,
      ms: fc.integer({ min: 200, max: 6000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('slow' as const), on, lag: fc.constantFrom(0, 0.5, 0.95) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('cut' as const), from: on, to: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('isolate' as const), on }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose disk' as const), on }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('heal' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('order' as const), on, turn: fc.nat(5) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('replace' as const),
      on,
      place: fc.constantFrom(1 as const, 2 as const),
    }),
  },
)

export const story: fc.Arbitrary<Story> = fc.record({
  seed: fc.nat(0xffffff),
  formed: fc.boolean(),
  events: fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 8000 }), event }), { maxLength: 14 }),
  absent: fc.integer({ min: -1, max: 2 }),
})

/** The list that counts: of the highest generation that any server has, but for the one that is away for good. */
function newestOrder(world: World, away?: string): readonly string[] {
  const known = world.servers.flatMap(({ ip, disk }) =>
    ip !== away && disk.desired?.formed ? [disk.desired] : [],
  )
  const newest = known.sort((a, b) => b.generation - a.generation)[0]
  return newest?.order ?? THREE
}

/** Plays a story to its end. @returns nothing if all went well, else what happened, with lines that begin with FAULT */
export function play({ seed, formed, events, absent }: Story, rule = decide): string[] {
  const world = new World(seed, ADDRESSES, rule)
  for (const ip of [...THREE].sort(() => world.random() - 0.5)) world.server(ip).addServers(THREE)
  if (formed) world.settle(60_000, () => THREE)
  let changedMembers = false
  for (const { afterMs, event } of events) {
    world.run(afterMs)
    world.tell(`--- ${JSON.stringify(event)}`)
    happen(world, event)
    changedMembers ||= event.kind === 'replace' || event.kind === 'lose disk'
  }
  world.tell('--- all is put right')
  world.heal()
  const away = absent < 0 || !formed || changedMembers ? undefined : ADDRESSES[absent]
  for (const server of world.servers) {
    server.lag = 0
    if (server.ip === away) server.crash()
    else server.boot()
  }
  let missing: string | undefined
  const end = world.now + CONVERGE_MS
  do {
    missing = world.settle(OPERATOR_MS, () => newestOrder(world, away), away)
    if (missing !== undefined) tellWhoWasNotTold(world, away)
  } while (missing !== undefined && world.now < end)
  if (missing !== undefined) world.fault(`not whole after ${CONVERGE_MS / 1000} s: ${missing}`)
  return world.faults.length > 0 ? world.story : []
}

/** Operators finish what they began: new and renewed servers are told the list, and the others to believe them. */
function tellWhoWasNotTold(world: World, away: string | undefined): void {
  const order = newestOrder(world, away)
  const changes = world.servers.flatMap(({ disk }) => (disk.proposal ? [disk.proposal.order] : []))
  for (const server of world.servers) {
    if (server.disk.desired?.formed) continue
    const wanted = order.includes(server.ip) ? order : changes.find((change) => change.includes(server.ip))
    if (wanted) server.addServers(wanted)
  }
  world.run(2000)
  for (const server of world.servers) {
    const { desired, suspects } = server.disk
    if (desired?.formed && suspects.size > 0) server.addServers(desired.order)
  }
}

function happen(world: World, event: Event): void {
  switch (event.kind) {
    case 'heal':
      world.heal()
      break
    case 'cut':
      world.cut(ADDRESSES[event.from]!, [...ADDRESSES, 'agent1', 'agent2'][event.to]!)
      break
    case 'isolate':
      for (const { ip } of [...world.servers, ...world.agents]) world.cut(ADDRESSES[event.on]!, ip)
      break
    case 'order':
    case 'replace':
      ask(world, world.servers[event.on]!, event)
      break
    default:
      happenTo(world, world.servers[event.on]!, event)
  }
}

/** An operator runs a command on this server. */
function ask(world: World, server: Server, event: Extract<Event, { kind: 'order' | 'replace' }>): void {
  const order = server.disk.desired?.order ?? THREE
  if (event.kind === 'order') {
    const [a, b, c] = order as [string, string, string]
    server.addServers(
      [
        [a, b, c],
        [a, c, b],
        [b, a, c],
        [b, c, a],
        [c, a, b],
        [c, b, a],
      ][event.turn]!,
    )
    return
  }
  // A replacement while another server is being renewed would be a second copy gone.
  if (world.servers.filter(({ disk }) => disk.desired?.formed).length !== 3) return
  const fresh = ADDRESSES.find((ip) => !order.includes(ip))!
  const change = order.with(event.place, fresh)
  server.addServers(change)
  world.server(fresh).addServers(change)
}

type Server = World['servers'][number]
type Mishap = Exclude<Event, { kind: 'heal' | 'cut' | 'isolate' | 'order' | 'replace' }>

function happenTo(world: World, server: Server, event: Mishap): void {
  switch (event.kind) {
    case 'crash':
      server.crash()
      break
    case 'boot':
      server.boot()
      break
    case 'kill redis':
      server.stopRedis()
      break
    case 'kill sentinel':
      server.stopSentinel()
      break
    case 'restart cts-auth':
      server.controller = undefined
      if (server.up) server.boot()
      break
    case 'freeze':
      if (server.redis) server.redis.frozenUntil = world.now + event.ms
      break
    case 'slow':
      server.lag = event.lag
      break
    case 'lose disk':
      // Two copies are promised to be enough: a disk is lost only while there are three.
      if (world.incomplete(newestOrder(world)) !== undefined || !server.disk.desired) break
      server.loseDisk()
      // A machine with a new disk is not back before its loss is noticed.
      world.run(4000)
      server.boot()
  }
}
