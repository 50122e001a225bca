import { dirname, resolve } from 'node:path'
import { readIfThere } from '../platform/files.ts'
import { sentenceOf } from '../platform/log.ts'

/** The root folder of a server or node; what it is called, where one machine hosts several. */
export interface Place {
  readonly root: string
  readonly name?: string
  readonly address?: string
}

export interface Places {
  /** In the order in which they are asked. */
  readonly servers: readonly Place[]
  readonly node: Place
  /** Whether this machine hosts several servers, so that `--on` names one. */
  readonly named: boolean
}

/**
 * Where this command asks and works. NETQ_ROOT is the root of this server or node ('/' if unset). NETQ_DEMO is a file
 * that lists the servers and the node that this machine hosts; it counts where NETQ_ROOT is unset.
 * Throws one sentence if that file is damaged.
 */
export function readPlaces(env: NodeJS.ProcessEnv): Places {
  const text = env.NETQ_DEMO && !env.NETQ_ROOT ? readIfThere(env.NETQ_DEMO) : undefined
  if (text === undefined) {
    const here = { root: resolve(env.NETQ_ROOT || '/') }
    return { servers: [here], node: here, named: false }
  }
  const file = env.NETQ_DEMO!
  try {
    const json = JSON.parse(text) as { servers?: unknown; node?: unknown }
    if (!Array.isArray(json.servers) || json.servers.length === 0) throw new Error('it lists no servers')
    const servers = json.servers.map((entry) => placeFrom(entry, file))
    return { servers, node: placeFrom(json.node, file), named: true }
  } catch (error) {
    throw new Error(`${file} is damaged (${sentenceOf(error)}): start the demo again, or set NETQ_ROOT.`)
  }
}

function placeFrom(entry: unknown, file: string): Place {
  const { name, root, address } = (entry ?? {}) as Record<string, unknown>
  if (typeof name !== 'string' || typeof root !== 'string') throw new Error('a place needs a name and a root')
  return { name, root: resolve(dirname(file), root), ...(typeof address === 'string' ? { address } : {}) }
}

/** The names that `--on` takes. */
export function namesOf(places: Places): string[] {
  return places.named ? [...new Set([...places.servers, places.node].map((place) => place.name!))] : []
}

/** The place that `--on` names. Throws one sentence where there is none. */
export function placeNamed(places: Places, on: string): Place {
  if (!places.named) {
    throw new Error(
      '`--on` chooses among the servers of a demo, and none runs here: leave it out, or run the command on that server.',
    )
  }
  const place = [...places.servers, places.node].find((entry) => entry.name === on)
  if (place) return place
  throw new Error(`\`--on\` does not know ${JSON.stringify(on)}: it takes ${namesOf(places).join(', ')}.`)
}

/** `ts01 (127.0.0.5)`, or `this server` where it is the only one. */
export function titleOf(place: Place): string {
  if (place.name === undefined) return 'this server'
  return place.address ? `${place.name} (${place.address})` : place.name
}
