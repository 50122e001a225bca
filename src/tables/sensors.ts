import { order } from '../text/natural.ts'
import { isAsked, word } from './arguments.ts'
import { column, hostname, lastChanged } from './columns.ts'
import { unexpected } from './json.ts'
import { distinct } from './rows.ts'
import { EVERY_OTHER, scriptSource } from './script.ts'
import { sensorsHappening } from './sensors-happening.ts'
import type { Arguments, Row, StoredRow, Table } from './table.ts'

/** The kernel's own files, which every Linux has: no driver-specific program need be installed. */
const source = scriptSource(
  'sensors',
  `cd /sys/class 2>/dev/null || exit 0
grep -sH . hwmon/hwmon*/name hwmon/hwmon*/temp*_* hwmon/hwmon*/fan*_* hwmon/hwmon*/in1_* \
  power_supply/*/type power_supply/*/online power_supply/*/present power_supply/*/health
[ $? -le 2 ]`,
  EVERY_OTHER,
)
const keys = ['type', 'name']

/**
 * Temperatures, fans and power supplies. `state`: ok, high, crit, absent (it cannot be read, or is not plugged) or bad
 * (it says so itself, or turns too slowly). The value that was measured is not kept: it differs at every reading, so
 * that nothing but noise would be stored, and `Last Changed` would say nothing. `message` gives the limits.
 */
export const sensors: Table = {
  name: 'sensors',
  sources: [source],
  fields: [...keys, 'description', 'state', 'message'],
  keys,
  parse: ([output]) => (output === undefined ? [] : distinct(keys, sensorRows(output))),
  shows: [
    {
      usage: 'show sensors all|psu|temp|fan [<name>] [count] [json]',
      summary: 'temperatures, fans and power supplies: whether they are as they should be',
      columns: [
        hostname,
        column('Name', 'name'),
        column('Description', 'description', '-'),
        column('State', 'state'),
        column('Message', 'message', '-'),
        lastChanged,
      ],
      filter: asked,
    },
  ],
  happening: sensorsHappening,
}

function asked(args: Arguments): (stored: StoredRow) => boolean {
  const type = ['psu', 'temp', 'fan'].find((one) => args[one])
  const name = word(args, 'name')
  return ({ row }) => isAsked(type, row.type) && isAsked(name, row.name)
}

/** The values of one chip or supply, by the name of their file: `temp1_input` ... */
type Values = ReadonlyMap<string, string>

function sensorRows(output: string): Row[] {
  const devices = new Map<string, Map<string, string>>()
  for (const line of output.split('\n').filter((text) => text !== '')) {
    const parts = /^((?:hwmon|power_supply)\/[^/]+)\/(\w+):(.*)$/.exec(line)
    if (!parts) throw unexpected(['the sensors'], `no value of a sensor but "${line.slice(0, 60)}"`)
    const values = devices.get(parts[1]!) ?? new Map<string, string>()
    devices.set(parts[1]!, values.set(parts[2]!, parts[3]!.trim()))
  }
  const used = new Map<string, number>()
  return [...devices]
    .sort(([a], [b]) => a.length - b.length || order(a, b))
    .flatMap(([path, values]) => {
      if (path.startsWith('power_supply/')) return supplyRow(path.slice('power_supply/'.length), values)
      const chip = (values.get('name') ?? path.slice('hwmon/'.length)).replace(/\s+/g, '_')
      // The kernel's numbers may be others after a restart; of chips of one name nothing else tells them apart.
      const number = (used.get(chip) ?? 0) + 1
      used.set(chip, number)
      return chipRows(number === 1 ? chip : `${chip}.${number}`, values)
    })
}

function chipRows(chip: string, values: Values): Row[] {
  const sensors = [...values.keys()].map((file) => /^((?:temp|fan)\d+)_/.exec(file)?.[1])
  const rows = [...new Set(sensors.filter((sensor) => sensor !== undefined))].map((sensor): Row => {
    const number = (what: string) => numberIn(values, `${sensor}_${what}`)
    const type = sensor.startsWith('fan') ? 'fan' : 'temp'
    const { state, message } = type === 'fan' ? fan(number) : temperature(number)
    return {
      type,
      name: `${chip}-${sensor}`,
      description: values.get(`${sensor}_label`) ?? null,
      state,
      message,
    }
  })
  // Supplies on a switch's management bus (pmbus) call the voltage that comes in `vin`.
  if (values.get('in1_label') === 'vin') rows.push(busSupply(chip, values))
  return rows
}

type Reading = (what: string) => number | undefined

interface Judgement {
  readonly state: string
  readonly message: string | null
}

function temperature(number: Reading): Judgement {
  const input = number('input')
  const [max, crit] = ['max', 'crit'].map((name) => limitOf(number(name)))
  const limits = [
    ...(max === undefined ? [] : [`max ${max / 1000} C`]),
    ...(crit === undefined ? [] : [`crit ${crit / 1000} C`]),
  ].join(', ')
  const message = limits || null
  if (number('fault') === 1) return { state: 'bad', message: 'the sensor reports a fault' }
  if (input === undefined) return { state: 'absent', message: 'the sensor cannot be read' }
  if (number('crit_alarm') === 1 || isOver(input, crit)) return { state: 'crit', message }
  if (number('max_alarm') === 1 || isOver(input, max)) return { state: 'high', message }
  return { state: 'ok', message }
}

/** Limits that nobody set are 0 in many drivers. */
function limitOf(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined
}

function isOver(input: number, limit: number | undefined): boolean {
  return limit !== undefined && input >= limit
}

function fan(number: Reading): Judgement {
  const [input, min] = ['input', 'min'].map(number)
  const message = min === undefined ? null : `min ${min} RPM`
  if (number('fault') === 1) return { state: 'bad', message: 'the fan reports a fault' }
  if (input === undefined) return { state: 'absent', message: 'the fan cannot be read' }
  // A fan that stands without a lower limit may be meant to: many stop when it is cool.
  if (number('alarm') === 1 || number('min_alarm') === 1 || (min !== undefined && input < min))
    return { state: 'bad', message }
  return { state: 'ok', message }
}

function busSupply(chip: string, values: Values): Row {
  const input = numberIn(values, 'in1_input')
  const alarm = numberIn(values, 'in1_min_alarm') === 1 || numberIn(values, 'in1_lcrit_alarm') === 1
  const [state, message] =
    input === undefined
      ? ['absent', 'the supply cannot be read']
      : input <= 0 || alarm
        ? ['bad', 'no or too little voltage comes in']
        : ['ok', null]
  return { type: 'psu', name: chip, description: null, state, message }
}

/** Of the kernel's supplies only those of the mains: a battery or a USB port without a charger is no trouble. */
function supplyRow(name: string, values: Values): Row[] {
  if (values.get('type') !== 'Mains') return []
  const health = values.get('health') ?? 'Good'
  const [state, message] =
    values.get('present') === '0'
      ? ['absent', 'not plugged in']
      : values.get('online') === '0'
        ? ['bad', 'no power comes in']
        : health !== 'Good' && health !== 'Unknown'
          ? ['bad', `its health is "${health}"`]
          : ['ok', null]
  return [{ type: 'psu', name, description: null, state: state!, message: message ?? null }]
}

function numberIn(values: Values, file: string): number | undefined {
  const text = values.get(file)
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined
}
