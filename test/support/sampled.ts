import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Agent } from '../../src/agent/agent.ts'
import { makeLog } from '../../src/platform/log.ts'
import { pathsUnder } from '../../src/platform/paths.ts'
import { pointsOf } from '../../src/stats/points.ts'

/** Agents of made-up hosts that sample made-up counters, and what InfluxDB has to hold of it. */
export class SampledHosts {
  /** Every sample that was made, as the line of InfluxDB that it has to become. */
  readonly made: string[] = []
  private readonly agents: Agent[] = []
  private readonly marks = new Map<string, { spooled: number; acknowledged: number }>()
  private counting = true

  /** @param everyMs how often each host is sampled */
  constructor(folder: string, servers: readonly string[], count: number, everyMs: number) {
    for (let i = 1; i <= count; i++) {
      const host = `host${i}`
      const root = join(folder, 'sampled', host)
      mkdirSync(root, { recursive: true })
      this.agents.push(this.agent(host, root, servers, everyMs))
    }
  }

  start(): void {
    for (const agent of this.agents) agent.start()
  }

  /** Samples no more; what was sampled is still pushed. */
  quiet(): void {
    this.counting = false
  }

  goOn(): void {
    this.counting = true
  }

  acknowledged(): boolean {
    return [...this.marks.values()].every(({ spooled, acknowledged }) => acknowledged >= spooled)
  }

  async stop(): Promise<void> {
    await Promise.all(this.agents.map((agent) => agent.stop()))
  }

  private agent(host: string, root: string, servers: readonly string[], everyMs: number): Agent {
    const mark = { spooled: 0, acknowledged: 0 }
    this.marks.set(host, mark)
    let bytes = 2 ** 53
    return new Agent({
      paths: pathsUnder(root),
      host,
      servers,
      port: 6379,
      heartbeatMs: 1000,
      log: makeLog(host, 'error'),
      readings: () => ({ start() {}, readAll() {}, async stop() {} }),
      sample: {
        everyMs,
        lines: () => {
          if (!this.counting) return []
          bytes += 1001
          return ['swp1', 'swp2'].map(
            (port) => `A\tinterface-stats\t${port}\t{"rx_bytes":${bytes},"tx_packets":7}`,
          )
        },
      },
      watch: {
        spooled: ({ seq, time, payload }) => {
          mark.spooled = seq
          const lines = payload.replaceAll('A\tinterface-stats\t', '')
          this.made.push(...pointsOf({ id: '', host, time: String(time), lines }))
        },
        acknowledged: (seq) => {
          mark.acknowledged = Math.max(mark.acknowledged, seq)
        },
      },
    })
  }
}
