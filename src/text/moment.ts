const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/** A time as an operator says it: `now`, or how long ago: `90s`, `5m`, `2h`, `1d`, `1w`. In ms; undefined if it is none. */
export function momentOf(word: string, now: number): number | undefined {
  if (word === 'now') return now
  const [, count, unit] = /^(\d{1,6})([smhdw])$/.exec(word) ?? []
  return count === undefined ? undefined : now - Number(count) * SECONDS[unit!]! * 1000
}
