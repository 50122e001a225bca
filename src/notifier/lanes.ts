import { hostname } from 'node:os'
import type { Log } from '../platform/log.ts'
import { Loop } from '../platform/loop.ts'
import { makeChannel, type Receiver, receiversOf } from './channels/index.ts'
import type { NotifierSettings } from './config.ts'
import type { LocalStore } from './connection.ts'
import { routesOf } from './filters.ts'
import { Flaps } from './flaps.ts'
import { Lane, type LaneStatus } from './lane.ts'
import type { Event } from './types.ts'

/** How long a lane with nothing to do waits until it reads the log again, in milliseconds. */
const IDLE_MS = 200

interface Running {
  readonly lane: Lane
  /** The receiver's settings as text: what it was made from. */
  readonly madeFrom: string
  stop(): Promise<void>
}

/** A lane for every receiver, each with a loop of its own: a receiver that hangs holds up no other. */
export class Lanes {
  private readonly local: LocalStore
  private readonly log: Log
  private readonly logFile: string
  private readonly running = new Map<string, Running>()
  private settings: NotifierSettings | undefined

  constructor(local: LocalStore, log: Log, logFile: string) {
    this.local = local
    this.log = log
    this.logFile = logFile
  }

  /** From now on by these settings. A lane whose receiver stays as it was goes on where it is. */
  async use(settings: NotifierSettings): Promise<void> {
    this.settings = settings
    const wanted = new Map(receiversOf(settings).map((one) => [one.name, one]))
    for (const [name, { madeFrom, stop }] of this.running) {
      if (JSON.stringify(wanted.get(name)) === madeFrom) continue
      this.running.delete(name)
      await stop()
    }
    for (const [name, receiver] of wanted) {
      if (!this.running.has(name)) this.running.set(name, this.launch(receiver))
    }
  }

  tell(event: Event): void {
    for (const { lane } of this.running.values()) lane.tell(event)
  }

  status(): Record<string, LaneStatus> {
    return Object.fromEntries([...this.running].map(([name, { lane }]) => [name, lane.status]))
  }

  async close(): Promise<void> {
    await Promise.all([...this.running.values()].map(({ stop }) => stop()))
    this.running.clear()
  }

  private launch(receiver: Receiver): Running {
    const { log, logFile } = this
    const channel = makeChannel(receiver, { server: hostname(), logFile, log })
    const lane = new Lane({
      integration: receiver.name,
      channel,
      route: (event) => routesOf(event, this.settings!).get(receiver.name),
      flaps: new Flaps(),
      log,
    })
    const loop = new Loop(receiver.name, log, async (signal) => {
      await lane.sendUrgent(signal)
      const { store } = await this.local.get()
      if (!(await store.isMaster())) {
        lane.forget()
        return IDLE_MS
      }
      return (await lane.step(store, signal)) ? 0 : IDLE_MS
    })
    return {
      lane,
      madeFrom: JSON.stringify(receiver),
      stop: async () => {
        await loop.stop()
        await channel.close()
      },
    }
  }
}
