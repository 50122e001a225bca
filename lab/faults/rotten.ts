import { ask } from '../../src/platform/ask.ts'
import type { Field } from './field.ts'
import { monotonic } from './journal.ts'
import type { Acknowledgement } from './truth.ts'

/** How often every server is asked, in milliseconds. */
const EVERY_MS = 1000
/** An agent is called rotten after 90 s of silence; its heartbeats come every second. Milliseconds. */
const SILENT_MS = 85_000

interface Accusation {
  readonly server: string
  readonly host: string
  readonly time: number
}

/** Looks at `netq show agents` on every server all the time, and keeps who was called rotten, where and when. */
export class RottenWatch {
  private readonly field: Field
  private readonly timer: NodeJS.Timeout
  private accusations: Accusation[] = []

  constructor(field: Field) {
    this.field = field
    this.timer = setInterval(() => this.look(), EVERY_MS)
  }

  stop(): void {
    clearInterval(this.timer)
  }

  /** Who was called rotten since the last time although a server had just acknowledged something to it; a sentence each. */
  wrong(acknowledgements: ReadonlyMap<string, readonly Acknowledgement[]>): string[] {
    const accused = this.accusations
    this.accusations = []
    return accused.flatMap(({ server, host, time }) => {
      const heard = (acknowledgements.get(host) ?? []).findLast(({ to }) => to < time)
      if (!heard || time - heard.to > SILENT_MS) return []
      return [`${server} called ${host} rotten ${Math.round(time - heard.to)} ms after it was heard`]
    })
  }

  private look(): void {
    const time = monotonic()
    for (const { name, paths } of this.field.own) {
      ask<{ agents: { hostname: string; status: string }[] }>(
        paths.netqdSocket,
        '/v1/show',
        { table: 'agents', show: 0, args: { json: true } },
        EVERY_MS,
      ).then(
        ({ agents }) => {
          for (const { hostname, status } of agents)
            if (status === 'Rotten') this.accusations.push({ server: name, host: hostname, time })
        },
        // A server that does not answer accuses nobody.
        () => {},
      )
    }
  }
}
