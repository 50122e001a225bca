/** Where the statistics are in InfluxDB: database, its default retention policy, and the measurement of the samples. */
export const DATABASE = 'netq'
export const POLICY = 'netq'
export const MEASUREMENT = 'interface_stats'
/** The retention policy of what netq-stats-pushd remembers: nothing of it is forgotten. */
export const STATE_POLICY = 'state'

/** The fields of a sample: counters since the interface came up, as the kernel has them. The tags are hostname, interface. */
export const COUNTERS = [
  'rx_bytes',
  'rx_packets',
  'rx_errs',
  'rx_drop',
  'rx_frame',
  'rx_multicast',
  'tx_bytes',
  'tx_packets',
  'tx_errs',
  'tx_drop',
  'tx_colls',
  'tx_carrier',
] as const

export type Counter = (typeof COUNTERS)[number]

/** Where InfluxDB listens for HTTP, and for its own backup tool. */
export const INFLUX_PORT = 8086
export const INFLUX_BACKUP_PORT = 8088

/** Where this server's InfluxDB listens: on its loopback; on a machine with several servers, on that server's part of it. */
export function influxHost(address: string | undefined): string {
  return address?.startsWith('127.') ? address : '127.0.0.1'
}

export function influxUrl(address: string | undefined): string {
  return `http://${influxHost(address)}:${INFLUX_PORT}`
}

/** The samples in a FROM clause. */
export const SAMPLES = `"${DATABASE}"."${POLICY}"."${MEASUREMENT}"`
