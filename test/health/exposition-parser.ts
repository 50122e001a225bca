export interface Parsed {
  readonly type: string
  readonly help: string
  /** Values by their labels, as `name="value",...` in the order of the text with escapes undone, '' without labels. */
  readonly samples: Map<string, number>
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped']

/**
 * Prometheus' text format 0.0.4, strictly: everything that the format forbids is an error, and so are a metric without
 * HELP and TYPE, and a counter without `_total`.
 */
export function parseExposition(text: string): Map<string, Parsed> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  const metrics = new Map<string, Parsed>()
  let help: { name: string; text: string } | undefined
  let current: string | undefined
  for (const line of text.slice(0, -1).split('\n')) {
    const fail = (why: string): never => {
      throw new Error(`${why}: ${line}`)
    }
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/s.exec(line)
    if (comment) {
      const [, kind, name = '', rest = ''] = comment
      if (!NAME.test(name)) fail('not a metric name')
      if (metrics.has(name)) fail('the metric was already there')
      if (kind === 'HELP') {
        if (help) fail('HELP without the TYPE of the one before')
        help = { name, text: plain(rest, /\\[\\n]/g, fail) }
      } else {
        if (help?.name !== name) fail('TYPE without its HELP')
        if (!TYPES.includes(rest)) fail('not a type')
        if (rest === 'counter' && !name.endsWith('_total')) fail('a counter without _total')
        metrics.set(name, { type: rest, help: help!.text, samples: new Map() })
        help = undefined
        current = name
      }
      continue
    }
    if (help) fail('HELP without TYPE')
    const [, name = '', labels, value = ''] =
      /^([^\s{]+)(?:\{(.*)\})? (\S+)$/s.exec(line) ?? fail('neither a comment nor a sample')
    if (name !== current) fail('a sample outside of its metric')
    const { samples } = metrics.get(name)!
    const key = labels === undefined ? '' : parseLabels(labels, fail)
    if (samples.has(key)) fail('the same sample twice')
    samples.set(key, parseValue(value, fail))
  }
  for (const [name, { samples }] of metrics) if (samples.size === 0) throw new Error(`${name} has no sample`)
  return metrics
}

type Fail = (why: string) => never

function parseLabels(text: string, fail: Fail): string {
  const pair = /([^=,]*)="((?:[^"\\]|\\.)*)"(,|$)/sy
  const names: string[] = []
  const pairs: string[] = []
  while (pair.lastIndex < text.length) {
    const [, name = '', value = ''] = pair.exec(text) ?? fail('labels that are none')
    if (!LABEL.test(name) || name.startsWith('__')) fail('not a label name')
    if (names.includes(name)) fail('the same label twice')
    names.push(name)
    pairs.push(`${name}="${plain(value, /\\[\\n"]/g, fail)}"`)
  }
  return pairs.join()
}

function plain(text: string, allowed: RegExp, fail: Fail): string {
  if (text.replace(allowed, '').includes('\\')) fail('an escape that is none')
  return text.replace(allowed, (pair) => (pair === '\\n' ? '\n' : pair.slice(1)))
}

function parseValue(text: string, fail: Fail): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY
  if (text === '-Inf') return Number.NEGATIVE_INFINITY
  if (text === 'NaN') return Number.NaN
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : fail('not a value')
}
