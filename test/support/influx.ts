import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathsUnder } from '../../src/platform/paths.ts'
import { Influx } from '../../src/stats/influx.ts'
import { influxConfig } from '../../src/stats/influx-conf.ts'
import { influxUrl } from '../../src/stats/names.ts'
import { skip } from '../setup/skip.ts'
import { freshAddresses } from './addresses.ts'
import { until } from './until.ts'

/** Whether there is an InfluxDB to test with; a system need not have it. */
export const hasInflux = spawnSync('influxd', ['version'], { stdio: 'ignore' }).error === undefined

/** For beforeEach: skips the test where there is none. */
export function needsInflux(): void {
  if (!hasInflux) skip('needs influxd')
}

/** A real InfluxDB of its own, configured as a telemetry server's. */
export class TestInflux {
  readonly url: string
  private readonly paths = pathsUnder(mkdtempSync(join(tmpdir(), 'in-')))
  private child: ChildProcess | undefined

  constructor(address = freshAddresses()[0]) {
    this.url = influxUrl(address)
    mkdirSync(dirname(this.paths.influxConfig), { recursive: true })
    writeFileSync(this.paths.influxConfig, influxConfig(this.paths, address))
  }

  /** Does nothing where there is no InfluxDB. */
  async start(): Promise<void> {
    if (!hasInflux) return
    this.child = spawn('influxd', ['run', '-config', this.paths.influxConfig], {
      stdio: 'ignore',
      cwd: this.paths.root,
    })
    await until('InfluxDB answers', 20_000, async () => {
      await new Influx(this.url).query('SHOW DATABASES')
      return true
    })
  }

  async kill(): Promise<void> {
    const { child } = this
    if (!child) return
    this.child = undefined
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('exit', resolve))
  }

  async remove(): Promise<void> {
    await this.kill()
    rmSync(this.paths.root, { recursive: true, force: true })
  }
}
