import type { Family, Sample } from './exposition.ts'
import type { Figures, Situation } from './types.ts'
import { CHECKS, lagOf, lookOfNow, markAge, verdictOn } from './verdict.ts'

type Value = number | boolean | undefined
const ROLES = ['master', 'replica', 'unknown']

/**
 * All metrics of this server. What is not known just now is left out rather than guessed, so that an alert on its absence
 * is possible; the loop's own figures and the verdicts are always there.
 * @param figures undefined if the store could not be read
 */
export function metricsOf(situation: Situation, figures: Figures | undefined, version: string): Family[] {
  const { now, rounds, roundAgeMs, gapMs } = situation
  const look = lookOfNow(situation)
  const { redis, sentinel } = look?.mine ?? {}
  const replica = redis?.role === 'replica' ? redis : undefined
  const master = redis?.role === 'master' ? redis : undefined
  const servers = look?.servers ?? []
  const epoch = redis || sentinel ? Math.max(redis?.epoch ?? 0, sentinel?.epoch ?? 0) : undefined
  return [
    gauge('build_info', 'Always 1; the version of this server is its label.', [
      { labels: { version }, value: 1 },
    ]),
    gauge(
      'health_ok',
      'Whether the endpoint of this name answers 200.',
      CHECKS.map((check) => sample({ check }, verdictOn(check, situation).ok)),
    ),
    gauge(
      'server_role',
      'Roles of the servers as this one knows them: 1 for the role that a server has.',
      servers.flatMap(({ server, role }) => ROLES.map((one) => sample({ server, role: one }, role === one))),
    ),
    gauge(
      'server_ok',
      'Whether netq config ts show server on this server has this one as ok.',
      servers.map(({ server, status }) => sample({ server }, status === 'ok')),
    ),
    one('redis_up', 'Whether the Redis of this server runs and answers.', look && redis !== undefined),
    one(
      'sentinel_up',
      'Whether the Sentinel of this server runs and answers.',
      look && sentinel !== undefined,
    ),
    one(
      'replication_lag_seconds',
      'How old the copy of this server may be: the age of the last mark that arrived in it; 0 on the master.',
      redis && seconds(lagOf(redis, now)),
    ),
    one('replication_offset_bytes', 'How far this server is in the stream of replication.', redis?.offset),
    one('replication_link_up', 'Whether this replica is linked to its master.', replica?.linkUp),
    one('replication_syncing', 'Whether this replica is copying all data.', replica && syncing(replica)),
    gauge(
      'replica_lag_seconds',
      'Since when the master has not heard of this replica; on the master only.',
      (master?.replicas ?? []).map(({ ip, lag }) => sample({ replica: ip }, lag)),
    ),
    gauge(
      'replica_offset_bytes',
      'How far this replica is in the stream of replication; on the master only.',
      (master?.replicas ?? []).map(({ ip, offset }) => sample({ replica: ip }, offset)),
    ),
    one('replicas_required', 'Replicas without which the master takes no writes.', master?.minReplicas),
    one('quorum_ok', 'Whether the Sentinels can change the master.', sentinel?.quorum),
    one('sentinel_replicas', 'Usable replicas that the Sentinel here knows.', sentinel?.replicas),
    one('sentinel_others', 'Other Sentinels that the Sentinel here knows.', sentinel?.others),
    one('sentinel_tilt', 'Whether the Sentinel here is passive after its clock jumped.', sentinel?.tilt),
    one('epoch', 'Grows with every change of master.', epoch),
    one(
      'mark_age_seconds',
      'Age of the last mark of the master in this copy.',
      redis && seconds(markAge(redis, now)),
    ),
    one(
      'last_write_gap_seconds',
      'At the last change of master, if it was seen here: from the last mark of the former to the first seen of the present one.',
      seconds(gapMs),
    ),
    counter('batches_applied_total', 'Batches that were ever applied to the store.', redis?.applied),
    one(
      'store_readable',
      'Whether the figures below could be read of the local store.',
      figures !== undefined,
    ),
    one('log_entries', 'Entries of the log of changes.', figures?.logEntries),
    one('memory_used_bytes', 'Memory that Redis uses.', figures?.memoryUsedBytes),
    one('memory_max_bytes', 'Memory that Redis may use; 0 is no limit.', figures?.memoryMaxBytes),
    gauge(
      'agents',
      'Agents by status, as netq show agents has it.',
      Object.entries(figures?.agents ?? {}).map(([status, count]) => sample({ status }, count)),
    ),
    one(
      'agents_spooled_batches',
      'Batches in the spools of all agents, as they last said.',
      figures?.spooledSum,
    ),
    one('agents_spooled_batches_max', 'Batches in the fullest spool of an agent.', figures?.spooledMax),
    counter('control_rounds_total', 'Rounds of the control loop since it started.', rounds),
    one('control_round_age_seconds', 'Time since the last round of the control loop.', seconds(roundAgeMs)),
  ]
}

function syncing(replica: { readonly syncing?: number }): boolean {
  return replica.syncing !== undefined
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000
}

function sample(labels: Sample['labels'], value: number | boolean): Sample {
  return { labels, value: Number(value) }
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name: `netq_${name}`, type: 'gauge', help, samples }
}

function one(name: string, help: string, value: Value): Family {
  return gauge(name, help, value === undefined ? [] : [sample({}, value)])
}

function counter(name: string, help: string, value: Value): Family {
  return { ...one(name, help, value), type: 'counter' }
}
