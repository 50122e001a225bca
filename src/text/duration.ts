/**
 * An age as NetQ prints it: the largest unit first, every smaller one given and none padded: `55s`, `14m:10s`,
 * `2h:42m:27s`, `3d:2h:5m:1s`. Part seconds are dropped; an age below zero (clocks differ a little) is `0s`.
 * @param ms milliseconds
 */
export function ago(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ]
  const first = parts.findIndex(([count, unit]) => count > 0 || unit === 's')
  return parts
    .slice(first)
    .map(([count, unit]) => `${count}${unit}`)
    .join(':')
}

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** A length of time as operators type it: `90s`, `2h`, `1d12h`. Milliseconds; undefined if it is none, or zero. */
export function parseSpan(text: string): number | undefined {
  if (!/^(\d{1,9}[smhdw])+$/.test(text)) return undefined
  const parts = text.match(/\d+[smhdw]/g) ?? []
  const ms = parts.reduce((sum, part) => sum + Number(part.slice(0, -1)) * UNIT_MS[part.slice(-1)]!, 0)
  return ms > 0 ? ms : undefined
}
