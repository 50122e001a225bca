import type { z } from 'zod'
import type { Log } from '../../platform/log.ts'
import type { Channel } from '../types.ts'

/** What a channel gets from the process that it is in. */
export interface ChannelContext {
  /** The host name of this telemetry server. */
  readonly server: string
  readonly log: Log
  /** The log file of the notifier. */
  readonly logFile: string
  /** How long a receiver may take for one request, in milliseconds. */
  readonly timeoutMs: number
}

/** A kind of integration: the keys of its entries in netq.yml, and how to send to one. */
export interface Kind<Type extends string, Schema extends z.ZodObject> {
  readonly type: Type
  /** The keys whose values are shown to nobody. */
  readonly secrets: readonly (keyof z.infer<Schema> & string)[]
  /**
   * It keeps troubles open until it is told of their end. So it is told of every end, even of one whose severity is below
   * the integration's own, as that of an end is INFO.
   */
  readonly keepsOpen?: true
  schema(zod: typeof z): Schema
  make(integration: z.infer<Schema>, context: ChannelContext): Channel
}

/** Lets the compiler find the types of a kind. */
export function kind<const Type extends string, Schema extends z.ZodObject>(
  what: Kind<Type, Schema>,
): Kind<Type, Schema> {
  return what
}
