import { ago } from '../text/duration.ts'
import { isAsked, word } from './arguments.ts'
import { column, hostname, lastChanged } from './columns.ts'
import { unexpected } from './json.ts'
import { distinct } from './rows.ts'
import { EVERY_OTHER, scriptSource } from './script.ts'
import { servicesHappening } from './services-happening.ts'
import type { Arguments, Row, StoredRow, Table } from './table.ts'

/** What a network's operator watches on switches and hosts; those that a host does not have are left out. */
const units = [
  ...['chrony', 'clagd', 'containerd', 'docker', 'frr', 'hsflowd', 'ledmgrd', 'lldpd', 'mstpd', 'neighmgrd'],
  ...['netq-agent', 'ntp', 'ntpsec', 'poed', 'ptmd', 'pwmd', 'rsyslog', 'smond', 'snmpd', 'ssh', 'switchd'],
  ...['systemd-timesyncd', 'vxrd', 'vxsnd'],
]
const properties = 'Id,LoadState,UnitFileState,ActiveState,SubState,MainPID,Restart,ActiveEnterTimestamp'

/**
 * Only units of which there is a file are asked for: systemd looks on the disk for every other one, each time (measured:
 * 43 ms of its time for 25 units of which 5 exist, 7 ms for the 5). Times are asked for in UTC, as they were when
 * the service started: an uptime would change with every reading.
 */
const systemdSource = scriptSource(
  'services',
  `[ -d /run/systemd/system ] || exit 0
export TZ=UTC
for name in ${units.join(' ')}; do
  for folder in /etc/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
    [ -e "$folder/$name.service" ] && set -- "$@" "$name.service" && break
  done
  for file in /etc/systemd/system/*.wants/$name@*.service; do
    [ -h "$file" ] && set -- "$@" "\${file##*/}"
  done
done
[ $# = 0 ] || exec systemctl show --no-pager -p ${properties} "$@"`,
  EVERY_OTHER,
)

/** FRR's daemons are no units of their own: which should run says its configuration, which do, their pid files. */
const frrSource = scriptSource(
  'daemons of frr',
  `for file in /run/frr/*.pid; do
  [ -e "$file" ] || continue
  name=\${file##*/} name=\${name%.pid} comm=
  read -r pid < "$file"
  read -r comm 2>/dev/null < "/proc/$pid/comm"
  [ "$comm" = "$name" ] && echo "pid $name $pid"
  set -- "$@" "$file"
done
[ $# = 0 ] || stat -c 'since %n %Y' "$@"
[ ! -r /etc/frr/daemons ] || grep -E '^[a-z0-9]+d=' /etc/frr/daemons || :`,
  EVERY_OTHER,
)

const keys = ['service', 'vrf']

/**
 * Services of systemd, and the daemons of FRR. `monitored`: something starts it again when it dies. `status`: `ok` it is
 * as it was configured; `warning` on its way up or down; `error` it should run and does not; `fail` it died.
 * `since`: when it began to run, by the host's clock, seconds since the epoch.
 */
export const services: Table = {
  name: 'services',
  sources: [systemdSource, frrSource],
  fields: [...keys, 'pid', 'enabled', 'active', 'monitored', 'status', 'since'],
  keys,
  parse: ([systemd, frr]) => distinct(keys, [...unitRows(systemd ?? ''), ...frrRows(frr ?? '')]),
  shows: [
    {
      usage:
        'show services [<name>] [vrf <vrf>] [active|monitored|status (ok|warning|error|fail)] [count] [json]',
      summary: 'services: whether they run, since when, and whether they should',
      columns: [
        hostname,
        column('Service', 'service'),
        column('PID', 'pid', '-'),
        column('VRF', 'vrf'),
        column('Enabled', 'enabled'),
        column('Active', 'active'),
        column('Monitored', 'monitored'),
        column('Status', 'status'),
        {
          head: 'Uptime',
          cell: ({ row }, now) => (typeof row.since === 'number' ? ago(now - row.since * 1000) : '-'),
        },
        lastChanged,
      ],
      filter: asked,
    },
  ],
  happening: servicesHappening,
}

function asked(args: Arguments): (stored: StoredRow) => boolean {
  const name = word(args, 'name')
  const vrf = word(args, 'vrf')
  const status = args.status ? ['ok', 'warning', 'error', 'fail'].find((one) => args[one]) : undefined
  return ({ row }) =>
    isAsked(name, row.service) &&
    isAsked(vrf, row.vrf) &&
    isAsked(status, row.status) &&
    (!args.active || row.active === true) &&
    (!args.monitored || row.monitored === true)
}

function unitRows(output: string): Row[] {
  const blocks = output.split(/\n{2,}/).filter((block) => block.trim() !== '')
  return blocks.flatMap((block) => {
    const values = new Map(
      block.split('\n').map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]),
    )
    const value = (name: string) => values.get(name)?.trim() ?? ''
    const id = /^([^@]+)(?:@(.*))?\.service$/.exec(value('Id'))
    if (!id || value('ActiveState') === '')
      throw unexpected(['systemctl', 'show'], `no unit of systemd but "${block.trim().slice(0, 60)}"`)
    if (value('LoadState') !== 'loaded') return []
    const active = value('ActiveState') === 'active'
    const enabled =
      /^(enabled|static|generated|alias|indirect)/.test(value('UnitFileState')) || id[2] !== undefined
    return [
      {
        service: id[1]!,
        // The instance of a template is, on switches, the VRF that it runs in.
        vrf: id[2] || 'default',
        pid: Number(value('MainPID')) || null,
        enabled,
        active,
        monitored: value('Restart') !== '' && value('Restart') !== 'no',
        status: statusOf(value('ActiveState'), value('SubState'), enabled),
        since: active ? timeOf(value('ActiveEnterTimestamp')) : null,
      },
    ]
  })
}

function statusOf(state: string, subState: string, enabled: boolean): string {
  if (state === 'failed') return 'fail'
  if (state === 'active') return 'ok'
  // It died and waits to be started again, and may do so for ever.
  if (subState === 'auto-restart') return 'error'
  if (state !== 'inactive') return 'warning'
  return enabled ? 'error' : 'ok'
}

/** `Mon 2026-11-23 18:33:07 UTC` in seconds since the epoch. */
function timeOf(text: string): number | null {
  const parts = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC$/.exec(text)
  return parts ? Date.parse(`${parts[1]}T${parts[2]}Z`) / 1000 : null
}

function frrRows(output: string): Row[] {
  const pids = new Map<string, number>()
  const since = new Map<string, number>()
  const configured = new Map<string, boolean>()
  for (const line of output.split('\n').filter((text) => text !== '')) {
    const pid = /^pid (\S+) (\d+)$/.exec(line)
    const began = /^since \/run\/frr\/(\S+)\.pid (\d+)$/.exec(line)
    const daemon = /^(\w+)=(\S*)/.exec(line)
    if (pid) pids.set(pid[1]!, Number(pid[2]))
    else if (began) since.set(began[1]!, Number(began[2]))
    else if (daemon) configured.set(daemon[1]!, /^"?yes/.test(daemon[2]!))
    else throw unexpected(['the daemons of FRR'], `no daemon but "${line.slice(0, 60)}"`)
  }
  // zebra, staticd and watchfrr always belong to it, so its configuration does not name them.
  const names = new Set([...since.keys(), ...[...configured].filter(([, yes]) => yes).map(([name]) => name)])
  return [...names].map((service) => {
    const pid = pids.get(service)
    const enabled = configured.get(service) ?? true
    const stopped = since.has(service) ? 'fail' : enabled ? 'error' : 'ok'
    return {
      service,
      vrf: 'default',
      pid: pid ?? null,
      enabled,
      active: pid !== undefined,
      monitored: pids.has('watchfrr') && service !== 'watchfrr',
      // A daemon that ends takes its pid file with it; one that died leaves it.
      status: pid === undefined ? stopped : 'ok',
      since: pid === undefined ? null : (since.get(service) ?? null),
    }
  })
}
