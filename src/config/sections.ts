import type { z } from 'zod'
import { section } from './yml-file.ts'

const notifierSections = [
  'netq-notifier',
  'notifier-integrations',
  'notifier-filters',
  'notifier-silences',
] as const

/** The sections of netq.yml that say what the notifier does: the same on all the servers of a cluster. */
export type NotifierSection = (typeof notifierSections)[number]

export const isNotifierSection = (name: string): name is NotifierSection =>
  notifierSections.some((known) => known === name)

/** A file of sections: these are validated, the other known ones are left to whom they concern. */
export function wholeFile<Shape extends z.core.$ZodLooseShape>(zod: typeof z, mine: Shape) {
  const known = Object.fromEntries(
    ['netq-agent', ...notifierSections, 'netq-stats', 'netq-backup'].map((name) => [
      name,
      zod.unknown().optional(),
    ]),
  )
  return section(zod, { ...known, ...mine } as Shape, 'sections such as `netq-agent:` are expected')
}
