import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { ClusterView } from '../api/types.ts'
import { ask } from '../platform/ask.ts'
import { readIfThere, replaceFile } from '../platform/files.ts'
import type { Level, Log } from '../platform/log.ts'
import { Loop } from '../platform/loop.ts'
import type { Paths } from '../platform/paths.ts'
import { Alarm, answeringMaster, type Stop, whyNoWrites } from './alarm.ts'
import { receiversOf } from './channels/index.ts'
import { LocalStore } from './connection.ts'
import { Lanes } from './lanes.ts'
import { Observer, type StatusOf } from './observer.ts'
import { SettingsKeeper } from './settings.ts'
import type { NotifierStatus } from './status.ts'

/** How often it looks at the servers, the agents and its settings, in milliseconds. */
const LOOK_MS = 2000

export interface NotifierParts {
  readonly paths: Paths
  /** Of this server; undefined: it has none yet. */
  readonly address: string | undefined
  readonly log: Log
  readonly statusOf: StatusOf
  /** Told how much is to be logged. */
  logLevel(level: Level): void
  /** Told when a look at the servers has ended, well or not. */
  looked(): void
}

/**
 * The notifier of one server. On the master it writes down what the servers see of the agents and of each other, and
 * its lanes tell every receiver of what the log says; on a replica it waits to become the master. On any server it tells
 * of the one trouble that cannot go through the log: that nothing can be written.
 */
export class Notifier {
  private readonly parts: NotifierParts
  private readonly paths: Paths
  private readonly local: LocalStore
  private readonly keeper: SettingsKeeper
  private readonly observer: Observer
  private readonly alarm: Alarm
  private readonly lanes: Lanes
  private readonly log: Log
  private loop: Loop | undefined
  /** When the master last proved that it can be written to, as far as this server knows; ms since the epoch. */
  private lastMark = 0

  constructor(parts: NotifierParts) {
    this.parts = parts
    this.paths = parts.paths
    this.log = parts.log
    this.local = new LocalStore(parts.paths, parts.address)
    this.keeper = new SettingsKeeper(parts.paths, parts.log)
    this.observer = new Observer(parts.statusOf)
    this.alarm = new Alarm(this.toldStop())
    this.lanes = new Lanes(this.local, parts.log, parts.paths.notifierLog)
  }

  start(): void {
    const look = async () => {
      await this.look()
      return LOOK_MS
    }
    this.loop = new Loop('the look at the servers', this.log, look, () => this.parts.looked())
  }

  async stop(): Promise<void> {
    await this.loop?.stop()
    await this.lanes.close()
    this.local.close()
  }

  /** Looks at everything that is not in the log. */
  private async look(): Promise<void> {
    const view = await ask<ClusterView>(this.paths.ctsAuthSocket, '/v1/view')
    const { store, reader, health, master } = await this.ownStore().catch((error: unknown) => {
      // Without its Redis this server is not the master; it may be one of those that are left to tell that there is none,
      // once it has had settings and so knows whom.
      if (Object.keys(this.lanes.status()).length > 0) this.judge(view, false)
      throw error
    })
    this.lastMark = health.markerTime
    this.say(master)
    const settings = await this.keeper.look(store, () => this.local.openAt(masterOf(view)))
    this.parts.logLevel(settings.logLevel)
    await this.lanes.use(settings)
    this.judge(view, master)
    if (!master || whyNoWrites(view) !== undefined) return
    await store.forgetOthers(receiversOf(settings).map(({ name }) => name))
    const observed = await store.observed()
    const look = { agents: await reader.agents(), health, view, now: Date.now() }
    await store.observe(this.observer.differing(look, observed))
  }

  private async ownStore() {
    const { store, reader } = await this.local.get()
    return { store, reader, health: await reader.health(), master: await store.isMaster() }
  }

  /** Tells that nothing can be written, or can again: of a master that takes no writes, it; of no master, whoever is left. */
  private judge(view: ClusterView, master: boolean): void {
    const reason = master || !answeringMaster(view) ? whyNoWrites(view) : undefined
    const event = this.alarm.judge(reason, this.lastMark, Date.now())
    if (!event) return
    this.lanes.tell(event)
    replaceFile(this.paths.notifierAlarm, JSON.stringify(this.alarm.told ?? null))
  }

  private say(sends: boolean): void {
    const { mistakes } = this.keeper
    const status: NotifierStatus = {
      pid: process.pid,
      updated: Date.now(),
      sends,
      lanes: this.lanes.status(),
      mistakes,
    }
    mkdirSync(dirname(this.paths.notifierStatus), { recursive: true })
    writeFileSync(`${this.paths.notifierStatus}.new`, JSON.stringify(status))
    renameSync(`${this.paths.notifierStatus}.new`, this.paths.notifierStatus)
  }

  private toldStop(): Stop | undefined {
    try {
      return (JSON.parse(readIfThere(this.paths.notifierAlarm) ?? 'null') as Stop | null) ?? undefined
    } catch {
      return undefined
    }
  }
}

/** The address of the server that takes writes. Throws a sentence if there is none. */
export function masterOf({ servers, formed, self }: ClusterView): string {
  const master = formed ? servers.find(({ role }) => role === 'master')?.server : self
  if (master === undefined)
    throw new Error('no server is the master, so the settings of the notifier cannot be shared now')
  return master
}
