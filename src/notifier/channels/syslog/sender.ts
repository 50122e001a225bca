import type { Channel } from '../../types.ts'
import type { ChannelContext } from '../kind.ts'
import type { SyslogServer } from './server.ts'
import { TcpSender } from './tcp.ts'
import { UdpSender } from './udp.ts'

/** The messages are those of RFC 5424: UDP has one in a datagram, TCP counts their octets (RFC 6587). */
export function makeSyslogSender(server: SyslogServer, context: ChannelContext): Channel {
  return server.protocol === 'udp' ? new UdpSender(server, context) : new TcpSender(server, context)
}
