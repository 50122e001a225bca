import { readIfThere } from './files.ts'
import type { Paths } from './paths.ts'

/** Its members may administer, as root may; the packages make it. */
const ADMINISTRATORS = 'netq'

/** Whether a user with this number and these groups may administer the server or node of these paths. */
export function mayAdminister(uid: number, groups: readonly number[], paths: Paths): boolean {
  if (uid === 0) return true
  const administrators = numberOf(ADMINISTRATORS, paths)
  return administrators !== undefined && groups.includes(administrators)
}

/** The number of a group by the file of groups; undefined if it is not there. */
function numberOf(group: string, { groups }: Paths): number | undefined {
  const line = readIfThere(groups)
    ?.split('\n')
    .find((entry) => entry.startsWith(`${group}:`))
  const digits = line?.split(':')[2]
  return digits !== undefined && /^\d+$/.test(digits) ? Number(digits) : undefined
}
