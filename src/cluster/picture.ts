import type { Decision, Seen, SentinelReport, ServerReport, View } from './types.ts'

/** For how long a Sentinel must have no majority to be believed, in milliseconds: longer than from one look to the next. */
const NO_QUORUM_MS = 700

/** The servers that answered, by address. */
export type Reports = ReadonlyMap<string, ServerReport>

export function reportsOf({ mine, peers }: Pick<View, 'mine' | 'peers'>): Map<string, ServerReport> {
  const all = new Map<string, ServerReport>([[mine.ip, mine]])
  for (const [ip, seen] of peers as ReadonlyMap<string, Seen>) if ('report' in seen) all.set(ip, seen.report)
  return all
}

/** How many of so many servers are more than half of them. */
export const majorityOf = (servers: number) => Math.floor(servers / 2) + 1

/** The members of this server's cluster among them. */
export function membersOf(view: View): Map<string, ServerReport> {
  const { clusterId } = view.mine.desired!
  return new Map(
    [...reportsOf(view)].filter(([, r]) => r.desired?.formed && r.desired.clusterId === clusterId),
  )
}

/** Those of them whose Redis says that it is a master. */
export function mastersAmong(members: Reports): string[] {
  return [...members.values()].filter((r) => r.redis?.role === 'master').map((r) => r.ip)
}

/** Whether a Sentinel is replacing the master at this moment. */
export function failingOver(members: Reports): boolean {
  return [...members.values()].some((r) => r.sentinel?.failover)
}

/** The master that a majority of the cluster's Sentinels names, with the epoch they name it in. */
export function namedBySentinels(reports: Reports): { ip: string; epoch: number } | undefined {
  const votes = new Map<string, SentinelReport[]>()
  for (const { sentinel } of reports.values()) {
    if (sentinel) votes.set(sentinel.master, [...(votes.get(sentinel.master) ?? []), sentinel])
  }
  for (const [ip, sentinels] of votes) {
    if (sentinels.length >= 2) return { ip, epoch: Math.max(...sentinels.map((s) => s.epoch)) }
  }
  return undefined
}

/**
 * Who is the master now. A majority of Sentinels decides, if what it names is a master, or cannot be asked; without a
 * majority, the only master that is seen, or of several the one with the newest epoch.
 */
export function currentMaster(
  reports: Reports,
  named: string | undefined,
  masters: readonly string[],
): string | undefined {
  if (named !== undefined) {
    if (masters.includes(named)) return named
    const report = reports.get(named)
    if (!report) return named
  }
  const epochOf = (ip: string) => reports.get(ip)!.redis!.epoch
  return [...masters].sort((a, b) => epochOf(b) - epochOf(a))[0]
}

/**
 * Whether this Sentinel has no majority, and not just for a moment. One that starts a second before the others holds them
 * for lost until it has reached them (83 ms, measured), as does one that was held up for a second itself.
 */
export function lacksQuorum({ quorum, noQuorumMs }: SentinelReport): boolean {
  return !quorum && noQuorumMs >= NO_QUORUM_MS
}

export function highestEpoch(reports: Reports): number {
  return Math.max(
    0,
    ...[...reports.values()].flatMap((r) => [r.voted, r.redis?.epoch ?? 0, r.sentinel?.epoch ?? 0]),
  )
}

/** A Redis that has just loaded its data lets the network in. */
export const open: Decision = { action: { do: 'open' }, why: 'Redis has loaded its data: agents may come' }

export function nothing(why: string): Decision {
  return { action: { do: 'nothing' }, why }
}

/** The Sentinel here is started, to watch this master. */
export function startSentinel(reports: Reports, master: string, why: string): Decision {
  // Sentinels that name two masters in one epoch never agree: where another one names another, this is a new epoch.
  const disputed = [...reports.values()].some((r) => r.sentinel && r.sentinel.master !== master)
  return { action: { do: 'start-sentinel', master, epoch: highestEpoch(reports) + (disputed ? 1 : 0) }, why }
}
