import type { ChildProcessByStdio } from 'node:child_process'
import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { readIfThere } from '../platform/files.ts'
import type { Log } from '../platform/log.ts'
import { sentenceOf } from '../platform/log.ts'
import { environment } from './run.ts'

/** Names for `triggers`: the labels that `ip monitor` prints, and which of its objects makes it print them. */
const labels: Readonly<Record<string, { readonly object: string; readonly triggers: readonly string[] }>> = {
  LINK: { object: 'link', triggers: ['link'] },
  ADDR: { object: 'address', triggers: ['address'] },
  ROUTE: { object: 'route', triggers: ['route'] },
  // The kernel announces forwarding entries of a bridge as neighbours: no second monitor is needed for them.
  NEIGH: { object: 'neigh', triggers: ['neigh', 'fdb'] },
  NEXTHOP: { object: 'nexthop', triggers: ['nexthop'] },
  RULE: { object: 'rule', triggers: ['rule'] },
}

/** Every name that a source may give as a trigger. */
export const triggerNames: readonly string[] = Object.values(labels).flatMap((label) => label.triggers)

export interface MonitorEvents {
  /** Something of these kinds has changed. */
  changed(triggers: readonly string[]): void
  /** Events may have been missed up to now: everything should be read. Called once after start(), too. */
  missed(): void
}

type Child = ChildProcessByStdio<null, Readable, Readable>

const FIRST_PAUSE = 200
const LONGEST_PAUSE = 30_000
/** How long a child must have lived for its end to count as a new trouble. */
const HEALTHY_AFTER = 30_000
const READY_WITHIN = 2000

/**
 * Keeps one `ip monitor` running and says what kind of thing changed, never what: the programs are read again
 * for that.
 *
 * STARTED: a child runs. It is LISTENING once the kernel lists its netlink socket; what changed before was
 * not seen, so missed() is called then. The child says that the kernel dropped events: missed(). The child
 * ends: missed(), and after a pause (0.2 s, doubled up to 30 s, short again once a child has lived for 30 s)
 * STARTED. stop(): the child is killed.
 */
export class Monitor {
  private readonly triggers: ReadonlySet<string>
  private readonly events: MonitorEvents
  private readonly log: Log
  private child: Child | undefined
  private timer: NodeJS.Timeout | undefined
  private pause = FIRST_PAUSE
  private stopped = true
  /** Why it ended, as last logged: the same reason again and again is logged once. */
  private said = ''

  constructor(triggers: ReadonlySet<string>, events: MonitorEvents, log: Log) {
    this.triggers = triggers
    this.events = events
    this.log = log
  }

  start(): void {
    this.stopped = false
    this.launch()
  }

  /** Resolves when the child is gone. */
  async stop(): Promise<void> {
    this.stopped = true
    clearTimeout(this.timer)
    const child = this.child
    if (!child) return
    const gone = new Promise((resolve) => child.once('close', resolve))
    child.kill('SIGKILL')
    await gone
  }

  private launch(): void {
    const objects = Object.values(labels)
      .filter((label) => label.triggers.some((name) => this.triggers.has(name)))
      .map((label) => label.object)
    let child: Child
    try {
      // An agent that is killed with -9 takes its monitor with it: by itself, that would live until the next
      // event.
      const argv = ['--pdeathsig', 'KILL', 'ip', '-o', 'monitor', 'label', ...objects]
      child = spawn('setpriv', argv, { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] })
    } catch (error) {
      this.ended(sentenceOf(error), Date.now())
      return
    }
    const started = performance.now()
    let partial = ''
    let complaint = ''
    this.child = child
    child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
      const text = partial + chunk
      const end = text.lastIndexOf('\n') + 1
      partial = text.slice(end)
      const seen = new Set<string>()
      for (const match of text.slice(0, end).matchAll(/^\[([A-Z]+)\]/gm)) {
        for (const trigger of labels[match[1]!]?.triggers ?? []) seen.add(trigger)
      }
      if (seen.size > 0) this.events.changed([...seen])
    })
    // It complains when the kernel had to drop events because they came faster than they were read.
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = text.trim().split('\n').at(-1)!
      this.log.debug(`ip monitor says: ${complaint}`)
      this.events.missed()
    })
    child.on('error', (error) => {
      complaint = error.message
    })
    child.on('close', (code, signal) => {
      this.child = undefined
      this.ended(complaint || (signal ? `killed by ${signal}` : `exit status ${code}`), started)
    })
    this.waitUntilListening(child, performance.now() + READY_WITHIN)
  }

  private ended(why: string, started: number): void {
    clearTimeout(this.timer)
    if (this.stopped) return
    if (performance.now() - started > HEALTHY_AFTER) {
      this.pause = FIRST_PAUSE
      this.said = ''
    }
    if (why !== this.said)
      this.log.warning(
        `ip monitor ended (${why}): until it runs again, changes are seen at the periodic reading only`,
      )
    this.said = why
    this.timer = setTimeout(() => this.launch(), this.pause)
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE)
    this.events.missed()
  }

  private waitUntilListening(child: Child, deadline: number): void {
    if (this.stopped || this.child !== child || child.pid === undefined) return
    if (performance.now() > deadline || isListening(child.pid)) {
      this.events.missed()
      return
    }
    this.timer = setTimeout(() => this.waitUntilListening(child, deadline), 10)
  }
}

/** Whether the process has a netlink socket that is subscribed to anything. A netlink port is its owner's pid. */
function isListening(pid: number): boolean {
  let sockets = ''
  try {
    sockets = readIfThere(`/proc/${pid}/net/netlink`) ?? ''
  } catch {
    // the process is ending
  }
  return sockets.split('\n').some((line) => {
    const [, , port, groups = ''] = line.trim().split(/\s+/)
    return port === String(pid) && /[1-9a-f]/.test(groups)
  })
}
