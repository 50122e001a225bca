import { changed, clipped, teller, told } from './changes.ts'
import { column, hostname } from './columns.ts'
import { unexpected } from './json.ts'
import { EVERY_OTHER, scriptSource } from './script.ts'
import type { Change, Happening, Row, Table } from './table.ts'

/**
 * The time daemon that answers is the one in use; where none does, the first that is installed is what should have run.
 * None of these wakes another service: timedatectl's own `show` would start systemd-timedated every time.
 */
const script = `
answer() { echo "$1"; printf '%s\\n' "$2"; exit 0; }
out=$(chronyc -n -c tracking 2>/dev/null) && answer chrony "$out"
out=$(ntpq -pn 2>/dev/null) && [ -n "$out" ] && answer ntp "$out"
if [ -d /run/systemd/timesync ]; then
  out=$(timedatectl show-timesync -p ServerAddress -p NTPMessage 2>/dev/null)
  [ -e /run/systemd/timesync/synchronized ] && out="Synchronized $out"
  answer timesyncd "$out"
fi
command -v chronyc >/dev/null && answer chrony ''
command -v ntpq >/dev/null && answer ntp ''
echo none`
const source = scriptSource('ntp', script, EVERY_OTHER)
const named = ['the', 'time', 'daemon']

/** Whether the host's clock follows a server: one row a host, none where no time daemon is installed. */
export const ntp: Table = {
  name: 'ntp',
  sources: [source],
  fields: ['ntpApp', 'ntpSync', 'currentServer', 'stratum'],
  keys: ['ntpApp'],
  parse: ([output]) => (output === undefined ? [] : ntpRows(output)),
  shows: [
    {
      usage: 'show ntp [out-of-sync|in-sync] [count] [json]',
      summary: 'whether the clocks are in sync, and with what',
      columns: [
        hostname,
        column('NTP Sync', 'ntpSync'),
        column('Current Server', 'currentServer', '-'),
        column('Stratum', 'stratum', '-'),
        column('NTP App', 'ntpApp'),
      ],
      filter: (args) => {
        const asked = args['in-sync'] ? 'yes' : args['out-of-sync'] ? 'no' : undefined
        return ({ row }) => asked === undefined || row.ntpSync === asked
      },
    },
  ],
  happening,
}

function ntpRows(output: string): Row[] {
  const [app = '', ...lines] = output.trim().split('\n')
  const text = lines.join('\n')
  if (app === 'none') return []
  if (app === 'chrony') return [rowOf(app, chrony(text))]
  if (app === 'ntp') return [rowOf(app, ntpq(text))]
  if (app === 'timesyncd') return [rowOf(app, timesyncd(text))]
  throw unexpected(named, `no known time daemon but "${app.slice(0, 40)}"`)
}

/** What the clock follows; undefined: nothing. */
interface Followed {
  readonly server: string
  readonly stratum: number
}

function rowOf(ntpApp: string, followed: Followed | undefined): Row {
  return {
    ntpApp,
    ntpSync: followed ? 'yes' : 'no',
    currentServer: followed?.server ?? null,
    stratum: followed?.stratum ?? null,
  }
}

/** `chronyc -c tracking`: reference, server, stratum ... leap status. Nothing: chronyd does not run. */
function chrony(text: string): Followed | undefined {
  if (text === '') return undefined
  const fields = text.split(',')
  const [, server = '', stratum] = fields
  if (fields.length < 14 || !Number.isInteger(Number(stratum)))
    throw unexpected(named, `no tracking of chrony but "${text.slice(0, 60)}"`)
  // A clock that follows itself (`local`, 127.127.1.1) is synchronised with nothing.
  const itself = server === '' || server.startsWith('127.127.')
  return fields.at(-1) === 'Not synchronised' || itself ? undefined : { server, stratum: Number(stratum) }
}

/** `ntpq -pn`: the peer with the tally `*` (or `o`, with a pulse per second) is what the clock follows. */
function ntpq(text: string): Followed | undefined {
  if (text !== '' && !/^\s*remote\s+refid\s+st\s/m.test(text))
    throw unexpected(named, `no peers of ntpd but "${text.slice(0, 60)}"`)
  const peer = /^[*o](\S+)\s+(\S+)\s+(\d+)\s/m.exec(text)
  // The stratum of this host is one below that of its server, as chrony counts.
  return peer ? { server: peer[1]!, stratum: Number(peer[3]) + 1 } : undefined
}

function timesyncd(text: string): Followed | undefined {
  const server = /\bServerAddress=(\S+)/.exec(text)?.[1]
  const stratum = /\bStratum=(\d+)/.exec(text)?.[1]
  if (!text.startsWith('Synchronized ')) return undefined
  return { server: server ?? 'unknown', stratum: Number(stratum ?? 0) + 1 }
}

function happening(change: Change): Happening | undefined {
  const sync = changed(change, 'ntpSync')
  if (!sync) return undefined
  const app = told(change.after, 'ntpApp') ?? 'its time daemon'
  const lost = told(change.before, 'currentServer')
  const server = told(change.after, 'currentServer')
  const tell = teller('NTP', `NTP: ${clipped(change.hostname)}`, 'clock')
  if (sync.to === 'yes') {
    const by = server ? ` with ${server}` : ''
    return tell('INFO', `sync state changed from out of sync to in sync${by} (${app})`, true)
  }
  return tell(
    'ERROR',
    `sync state changed from in sync${lost ? ` with ${lost}` : ''} to out of sync (${app}): its clock will drift, ` +
      'and the times of what it reports with it',
  )
}
