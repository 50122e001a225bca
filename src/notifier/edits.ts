import type { NotifierEdit } from '../api/types.ts'

/** The notifier's sections of netq.yml as plain values, not validated. */
export interface Sections {
  'netq-notifier'?: Record<string, unknown> | null
  'notifier-integrations'?: Item[] | null
  'notifier-filters'?: Item[] | null
  'notifier-silences'?: Item[] | null
}

type Item = { name: string } & Record<string, unknown>

/** What is in force where no filter is configured; it must be written down before another one is put before it. */
const DEFAULT: Item = { name: 'default', rule: null, output: ['ALL'] }

/**
 * Carries out one command on the sections. Whether the outcome makes sense is for the schema to judge.
 * @returns what was done, as a sentence; the sections are changed in place
 * @throws Error with one sentence if it cannot be done
 */
export function applyEdit(sections: Sections, edit: NotifierEdit, now: number): string {
  switch (edit.do) {
    case 'add-integration':
      return addIntegration(sections, edit)
    case 'add-filter':
      return addFilter(sections, edit)
    case 'add-silence':
      return addSilence(sections, edit, now)
    case 'set-loglevel':
      sections['netq-notifier'] = { ...sections['netq-notifier'], log_level: edit.level }
      return `The log level of the notifier is ${edit.level}`
    case 'del-loglevel': {
      const { log_level: known, ...rest } = sections['netq-notifier'] ?? {}
      if (Object.keys(rest).length > 0) sections['netq-notifier'] = rest
      else delete sections['netq-notifier']
      return known === undefined
        ? 'No log level was set'
        : 'The log level of the notifier is info, the default'
    }
    case 'del':
      return remove(sections, edit)
  }
}

type Of<What extends NotifierEdit['do']> = Extract<NotifierEdit, { do: What }>

/** Added again under the same name, an integration takes the new keys whole. */
function addIntegration(sections: Sections, { type, name, keys }: Of<'add-integration'>): string {
  const items = sections['notifier-integrations'] ?? []
  sections['notifier-integrations'] = items
  const at = items.findIndex((item) => item.name === name)
  const item = { name, type, ...keys }
  if (at < 0) {
    items.push(item)
    return `The integration ${name} is added`
  }
  if (items[at]!.type !== type)
    throw new Error(
      `${name} is an integration of type ${items[at]!.type}. Nothing was changed. Take another name`,
    )
  items[at] = item
  return `The integration ${name} is changed`
}

/** Added again under the same name, a filter takes a further rule, a further output, or another place. */
function addFilter(sections: Sections, edit: Of<'add-filter'>): string {
  const items = sections['notifier-filters'] ?? []
  sections['notifier-filters'] = items
  if (items.length === 0 && edit.name !== DEFAULT.name) items.push({ ...DEFAULT })
  const at = items.findIndex(({ name }) => name === edit.name)
  const item: Item = at < 0 ? { name: edit.name } : items[at]!
  if (edit.rule) item.rule = { ...(item.rule as object | null), [edit.rule[0]]: edit.rule[1] }
  else if (at < 0) item.rule = null
  if (edit.output !== undefined) item.output = outputs(item.output, edit.output)
  const anchor = edit.before ?? edit.after
  if (at >= 0 && anchor === undefined) return `The filter ${edit.name} is changed`
  const others = items.filter((other) => other !== item)
  others.splice(placeOf(others, edit), 0, item)
  sections['notifier-filters'] = others
  return at < 0 ? `The filter ${edit.name} is added` : `The filter ${edit.name} is changed`
}

/** Where no place is named, before the default filter: behind it nothing would ever match. */
function placeOf(others: readonly Item[], { before, after }: Of<'add-filter'>): number {
  const anchor = before ?? after ?? DEFAULT.name
  const at = others.findIndex(({ name }) => name === anchor)
  if (at >= 0) return after === undefined ? at : at + 1
  if (before === undefined && after === undefined) return others.length
  throw new Error(`There is no filter ${anchor}. Nothing was changed. The filters are ${namesOf(others)}`)
}

function outputs(known: unknown, output: string): string[] {
  const words = output.split(',').filter((word) => word !== '')
  // None and ALL say it all; a name is added to other names.
  if (words.some(saysItAll)) return words
  const names = (Array.isArray(known) ? known : []).filter((name) => !saysItAll(name))
  return [...new Set([...names, ...words])]
}

const saysItAll = (word: unknown) => /^(none|all)$/i.test(String(word))

/** The longest silence, in milliseconds. What is to be silent for ever is a filter's. */
const SILENCE_MS = 366 * 24 * 3600 * 1000

function addSilence(
  sections: Sections,
  { rule: [key, value], forMs }: Of<'add-silence'>,
  now: number,
): string {
  if (forMs > SILENCE_MS)
    throw new Error(
      'A silence lasts for a year at most. Nothing was changed. For longer use a filter with output None',
    )
  const until = new Date(now + forMs).toISOString().replace(/\.\d+Z$/, 'Z')
  const items = (sections['notifier-silences'] ?? []).filter((item) => Date.parse(String(item.until)) > now)
  const used = new Set(items.map(({ name }) => name))
  let n = 1
  while (used.has(`silence-${n}`)) n += 1
  items.push({ name: `silence-${n}`, rule: { [key]: value }, until })
  sections['notifier-silences'] = items
  return `silence-${n}: nobody is told of events with ${key} ${value} until ${until}; what happens is kept in: netq show notifications`
}

const places = {
  filter: 'notifier-filters',
  silence: 'notifier-silences',
} as const satisfies Record<string, keyof Sections>

function remove(sections: Sections, { what, name }: Of<'del'>): string {
  const place = what === 'filter' || what === 'silence' ? places[what] : 'notifier-integrations'
  const items = sections[place] ?? []
  const fits = (item: Item) => item.name === name && (place !== 'notifier-integrations' || item.type === what)
  if (!items.some(fits)) {
    const known = namesOf(
      place === 'notifier-integrations' ? items.filter(({ type }) => type === what) : items,
    )
    throw new Error(
      `There is no ${what} called ${name}. Nothing was changed. There ${known === '' ? 'is none' : `are: ${known}`}`,
    )
  }
  sections[place] = items.filter((item) => !fits(item))
  return `The ${what} ${name} is deleted`
}

function namesOf(items: readonly Item[]): string {
  return items.map(({ name }) => name).join(', ')
}
