import { isIP } from 'node:net'
import type { z } from 'zod'

/** Another machine's syslog, as `syslog_server: tcp://10.0.0.9:514` names it. */
export interface SyslogServer {
  readonly protocol: 'udp' | 'tcp'
  /** An IPv4 or IPv6 address. */
  readonly host: string
  readonly port: number
}

export function syslogServerSchema({ string }: typeof z) {
  const sentence =
    '`syslog_server` must be udp:// or tcp:// with an IP address and a port, such as udp://10.0.0.9:514'
  return string(sentence).transform((text, context): SyslogServer => {
    const server = parse(text)
    if (!server) context.addIssue({ code: 'custom', message: sentence })
    return server ?? { protocol: 'udp', host: '', port: 0 }
  })
}

function parse(text: string): SyslogServer | undefined {
  const [, protocol, host = '', digits = ''] = /^(udp|tcp):\/\/(.+):(\d{1,5})$/.exec(text) ?? []
  const bare = host.replace(/^\[(.*:.*)\]$/, '$1')
  const port = Number(digits)
  // An IPv6 address needs its brackets: its last group would be taken for the port.
  const isAddress = isIP(bare) === 4 || (isIP(bare) === 6 && bare !== host)
  if (!isAddress || port < 1 || port > 65535) return undefined
  return { protocol: protocol as 'udp' | 'tcp', host: bare, port }
}
