import { describe, expect, it } from 'vitest'
import { sensors } from '../../src/tables/sensors.ts'
import { handwritten, screen } from './fixtures.ts'

/** In the form of the kernel's hwmon and power supply classes, which the machine that captured the others lacks. */
const output = handwritten('hwmon.txt')
const rows = sensors.parse([output])
const shown = (args: Record<string, string | true>) => screen(sensors.shows[0]!, rows, args)

describe('show sensors', () => {
  it.each([
    [
      'temp',
      [
        'coretemp-temp1 | Package id 0 | ok | max 85 C, crit 100 C',
        'coretemp-temp2 | Core 0 | high | max 85 C, crit 100 C',
        'coretemp-temp3 | - | crit | max 85 C, crit 100 C',
        'nvme-temp1 | - | ok | -',
        'nvme.2-temp1 | - | bad | the sensor reports a fault',
      ],
    ],
    [
      'fan',
      [
        'cpld_fans-fan1 | Fan Tray 1 | ok | min 3000 RPM',
        'cpld_fans-fan2 | - | bad | min 3000 RPM',
        'cpld_fans-fan3 | Fan Tray 3 | absent | the fan cannot be read',
        'cpld_fans-fan4 | - | ok | -',
      ],
    ],
    [
      'psu',
      [
        'AC0 | - | ok | -',
        'AC1 | - | bad | no power comes in',
        'dps460 | - | ok | -',
        'dps460.2 | - | bad | no or too little voltage comes in',
      ],
    ],
  ])('%s', (type, lines) => {
    expect(shown({ [type]: true })).toEqual(lines)
  })

  it('shows all, or one by its name', () => {
    expect(shown({ all: true })).toHaveLength(13)
    expect(shown({ all: true, name: 'AC0' })).toHaveLength(1)
    expect(shown({ temp: true, name: 'AC0' })).toEqual([])
  })
})

describe('sensors', () => {
  it('do not change with the values as long as those are within the limits', () => {
    const later = output
      .replace(/(temp1_input):45000/, '$1:52000')
      .replace('fan1_input:8200', 'fan1_input:8140')
    expect(later).not.toBe(output)
    expect(sensors.parse([later])).toEqual(rows)
  })

  it.each([
    ['temp1_input:20000\nhwmon/hwmon0/temp1_max_alarm:1', 'high'],
    ['temp1_input:20000\nhwmon/hwmon0/temp1_crit_alarm:1', 'crit'],
    ['temp1_max:80000', 'absent'],
    ['temp1_input:-5000', 'ok'],
    ['fan1_input:500\nhwmon/hwmon0/fan1_alarm:1', 'bad'],
    ['fan1_input:500\nhwmon/hwmon0/fan1_fault:1', 'bad'],
  ])('with %j are %s', (values, state) => {
    expect(sensors.parse([`hwmon/hwmon0/${values}\n`])).toMatchObject([{ state }])
  })

  it('are none on a machine without any', () => {
    expect(sensors.parse([''])).toEqual([])
    expect(sensors.parse([undefined])).toEqual([])
  })

  it('are refused in one sentence if the output is something else', () => {
    expect(() => sensors.parse(['no such thing\n'])).toThrow(
      /^"the sensors" printed no value .* was not read$/,
    )
  })
})
