import type { ServerReport } from './types.ts'

/** The servers of the list that did not answer. */
export function absentFrom(order: readonly string[], reports: readonly ServerReport[]): string[] {
  return order.filter((ip) => !reports.some((r) => r.ip === ip))
}

/** Whether the servers of the list, but for those `absent`, run, agree on the master and know each other and nobody else. */
export function complete(
  reports: readonly ServerReport[],
  order: readonly string[],
  absent: readonly string[] = [],
): boolean {
  const members = order.flatMap((ip) => reports.filter((r) => r.ip === ip && r.desired?.formed))
  const master = members.find((r) => r.redis?.role === 'master')
  return (
    members.length === order.length - absent.length &&
    master?.redis?.minReplicas === 1 &&
    members.every(({ desired, redis, sentinel }) => {
      const knows = sentinel?.knows.every((ip) => order.includes(ip)) && sentinel.others === order.length - 1
      const follows = redis?.role === 'master' || (redis?.follows === master.ip && redis.linkUp)
      const listed = desired?.order.join() === order.join()
      return (
        listed &&
        follows &&
        knows &&
        sentinel?.quorum &&
        sentinel.master === master.ip &&
        sentinel.replicas >= order.length - 1 - absent.length
      )
    })
  )
}

/** Who is what after a change that is complete; of those that cannot be reached only that they will learn of it. */
export function agreement(
  reports: readonly ServerReport[],
  order: readonly string[],
  absent: readonly string[],
): string {
  const master = reports.find((r) => r.redis?.role === 'master' && order.includes(r.ip))?.ip
  const replicas = order.filter((ip) => ip !== master && !absent.includes(ip))
  if (absent.length === 0)
    return `${master} is the master, ${replicas.join(' and ')} are its replicas; all three agree.`
  return `${master} is the master, ${replicas.join(' and ')} is its replica, and both agree. ${absent.join(' and ')} cannot be reached, and learns of the change when it is back.`
}

/** Whether a new server has the list too, by its own word, or by that of a member whom it believes. */
export function wasTold(
  newcomer: string,
  order: readonly string[],
  reports: readonly ServerReport[],
): boolean {
  return reports.some(
    (r) => r.greets.includes(newcomer) || (r.ip === newcomer && r.desired?.order.join() === order.join()),
  )
}
