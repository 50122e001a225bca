import type { Paths } from '../platform/paths.ts'
import { INFLUX_BACKUP_PORT, INFLUX_PORT, influxHost } from './names.ts'

/**
 * The whole of influxdb.conf of a server's InfluxDB 1.x. It listens on the loopback only and has no log-in: who is on
 * the server may read it. How long samples are kept is a retention policy, which netq-stats-pushd sets from netq.yml.
 * @param address the server's address as its environment gives it (see influxHost)
 */
export function influxConfig(paths: Paths, address: string | undefined): string {
  const host = influxHost(address)
  return `# InfluxDB of netq: the interface statistics of this server.
reporting-disabled = true
bind-address = "${host}:${INFLUX_BACKUP_PORT}"

[meta]
  dir = "${paths.influxData}/meta"

[data]
  dir = "${paths.influxData}/data"
  wal-dir = "${paths.influxData}/wal"
  # Every write is on the disk before it is answered: what netq-stats-pushd has counted as written, is.
  wal-fsync-delay = "0s"
  query-log-enabled = false

[retention]
  check-interval = "30m"

[monitor]
  store-enabled = false

[subscriber]
  enabled = false

[continuous_queries]
  enabled = false

[http]
  bind-address = "${host}:${INFLUX_PORT}"
  log-enabled = false
`
}
