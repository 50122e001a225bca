const UNITS = ['', 'k', 'M', 'G', 'T', 'P']

/** A figure with its unit as people read it: `0 bit/s`, `12.3 kbit/s`, `1.2 Gbit/s`. A k is 1000. */
export function amount(value: number, unit: string): string {
  let shown = value
  let step = 0
  for (; Math.round(shown * 10) / 10 >= 1000 && step < UNITS.length - 1; step++) shown /= 1000
  return `${step === 0 ? Math.round(shown) : shown.toFixed(1)} ${UNITS[step]}${unit}`
}
