import type { Action, View } from '../../../src/cluster/types.ts'
import { type Copy, EMPTY, type ModelRedis } from './redis.ts'
import { ModelSentinel } from './sentinel.ts'
import type { ModelServer } from './server.ts'

/** One step of an action, done at one moment; anything may happen between two. Throws the sentence why it failed. */
export type Step = (server: ModelServer, view: View) => 'again' | undefined

/** How long writes may be paused, and how much of that the successor has to catch up; as in hand-over.ts. */
const PAUSE_MS = 1500
const CATCH_UP_MS = 700

/** What act.ts does, as steps between which a server may die. */
export function act(action: Action): Step[] {
  const once = (step: (server: ModelServer, view: View) => void): Step[] => [
    (server, view) => {
      step(server, view)
      return undefined
    },
  ]
  switch (action.do) {
    case 'nothing':
    // In the model a Redis takes no time to load, and nobody restores a backup.
    case 'open':
    case 'put-aside':
    case 'fence':
    case 'restore':
    case 'drop-restore':
    // ... nor is there another version, or a Sentinel that cts-auth did not start.
    case 'stop-redis':
    case 'hasten-sentinel':
      return []
    case 'start-redis': {
      const { as } = action
      return once((s) => s.startRedis(as === 'fenced' ? undefined : as.replicaOf))
    }
    case 'follow':
      return once((s) => running(s).follow(action.master))
    case 'form':
      return once((s) => {
        const { order } = s.disk.desired!
        s.disk.desired = { order, clusterId: s.disk.key, generation: 1, formed: true }
      })
    case 'join':
      return join(action.member)
    case 'promote':
      return promote(action.epoch)
    case 'promote-alone':
      return once((s) => running(s).promote(s.world))
    case 'settle':
      return once((s) => settle(s, action.minReplicas))
    case 'start-sentinel':
      return once((s) => startSentinel(s, action.master, action.epoch))
    case 'stop-sentinel':
      return once((s) => s.stopSentinel())
    case 'ask-failover':
      return once((s) => {
        const { sentinel } = s.peer(action.of)
        if (!sentinel) throw new Error('no Sentinel there')
        if (sentinel.named !== s.ip) throw new Error(`the Sentinel there names ${sentinel.named}`)
        sentinel.force(s.world)
      })
    case 'fail-over':
      return once((s) => {
        if (!s.sentinel) throw new Error('no Sentinel here')
        if (s.sentinel.named !== action.from) throw new Error(`the Sentinel here names ${s.sentinel.named}`)
        s.sentinel.force(s.world)
      })
    case 'prioritize':
      return once((s) => {
        running(s).priority = action.priority
      })
    case 'switch-over':
      return switchOver(action.to)
    case 'finish-switchover':
      return once((s) => {
        if (!s.sentinel) throw new Error('no Sentinel here')
        s.sentinel.force(s.world)
      })
    case 'commit':
      return commit(action.order, action.generation)
    case 'adopt':
      return once((s) => {
        s.disk.desired = { ...s.disk.desired!, order: action.order, generation: action.generation }
      })
    case 'leave':
      throw new Error('nobody turns HA off in this model')
    case 'retire':
      return once((s) => retire(s))
    case 'refuse':
      return once((s) => {
        s.controller!.refusal = { id: action.id, sentence: action.sentence }
      })
    case 'mark':
      return once((s) => {
        const epoch = Math.max(s.sentinel?.epoch ?? 0, s.disk.vote.epoch, running(s).copy.epoch)
        write(s, { epoch, marker: running(s).copy.marker + 1 })
      })
  }
}

function running(server: ModelServer): ModelRedis {
  if (!server.redis?.answers(server.world.now)) throw new Error('Redis does not answer')
  return server.redis
}

function write(server: ModelServer, change: Partial<Copy>): void {
  const redis = running(server)
  if (!redis.writable(server.world.now)) throw new Error('Redis takes no writes')
  redis.write(change)
}

/** What the server held is put aside and it starts empty; a power loss in between finds it as it was, or joining again. */
function join(member: string): Step[] {
  let key = ''
  let theirs: NonNullable<ModelServer['disk']['desired']>
  return [
    (s, view) => {
      const seen = view.peers.get(member)
      const desired = seen && 'report' in seen ? seen.report.desired : undefined
      if (!desired) throw new Error(`${member} does not answer any more`)
      theirs = desired
      const giver = s.peer(member)
      if (!giver.disk.desired?.formed) throw new Error(`${member} has not begun the cluster`)
      key = giver.disk.key
      s.stopRedis()
      return undefined
    },
    (s) => {
      s.disk.data = EMPTY
      s.disk.key = key
      s.disk.desired = { ...theirs, formed: true }
      return undefined
    },
  ]
}

function promote(epoch: number): Step[] {
  return [
    (s, view) => {
      const peers = [...view.peers.keys()]
      if (!s.voteFor(epoch, s.ip)) throw new Error(`voted for another in epoch ${epoch}`)
      const granted = peers.filter((ip) => {
        try {
          return s.peer(ip).voteFor(epoch, s.ip)
        } catch {
          return false
        }
      })
      const needed = Math.floor((peers.length + 1) / 2) + 1
      if (1 + granted.length < needed) throw new Error(`${1 + granted.length} of ${needed} votes`)
      return undefined
    },
    (s) => {
      running(s).promote(s.world)
      return undefined
    },
  ]
}

function settle(server: ModelServer, minReplicas: 0 | 1): void {
  running(server).minReplicas = minReplicas
  const { desired } = server.disk
  const { clusterId, generation } = desired?.formed ? desired : { clusterId: '', generation: 0 }
  if (generation < running(server).copy.generation) throw new Error('STALE')
  const alone = desired?.formed ? [] : [server.ip]
  write(server, { clusterId, generation, servers: minReplicas === 1 && desired ? desired.order : alone })
}

function startSentinel(server: ModelServer, master: string, epoch: number): void {
  const { order } = server.disk.desired!
  const { key, sentinelVoted: votedEpoch } = server.disk
  server.sentinel ??= new ModelSentinel({ ip: server.ip, key, master, epoch, votedEpoch, order })
}

function switchOver(to: string): Step[] {
  let until = 0
  const successor = (s: ModelServer): ModelRedis => {
    const { redis } = s.world.server(to)
    if (!redis?.answers(s.world.now) || !s.world.reachable(s.ip, to)) throw new Error(`${to} does not answer`)
    return redis
  }
  return [
    (s) => {
      until = s.world.now + CATCH_UP_MS
      running(s).pausedUntil = s.world.now + PAUSE_MS
      return undefined
    },
    (s) => {
      if (successor(s).copy === running(s).copy) return undefined
      if (s.world.now <= until) return 'again'
      running(s).pausedUntil = 0
      throw new Error(`${to} did not catch up`)
    },
    (s) => {
      successor(s).promote(s.world)
      return undefined
    },
    (s) => {
      running(s).follow(to)
      running(s).pausedUntil = 0
      return undefined
    },
    (s) => {
      s.peer(to).controller!.hurry()
      return undefined
    },
  ]
}

function commit(order: readonly string[], generation: number): Step[] {
  return [
    (s) => {
      const { clusterId } = s.disk.desired!
      if (generation < running(s).copy.generation) throw new Error('STALE')
      write(s, { clusterId, generation, servers: order })
      return undefined
    },
    (s) => {
      const { copy, attached } = running(s)
      const has = (ip: string) => s.world.reachable(s.ip, ip) && s.world.server(ip).redis?.copy === copy
      if (![...attached.keys()].some(has)) throw new Error('no replica confirmed the new list yet')
      s.disk.desired = { ...s.disk.desired!, order, generation }
      return undefined
    },
  ]
}

function retire(server: ModelServer): void {
  server.stopSentinel()
  server.stopRedis()
  const { disk } = server
  disk.key = `key of ${disk.identity} at ${server.world.now}`
  disk.data = EMPTY
  disk.desired = undefined
  disk.proposal = undefined
}
