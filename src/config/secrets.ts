import { createHmac, randomBytes } from 'node:crypto'
import { readIfThere, replaceFile } from '../platform/files.ts'
import type { Paths } from '../platform/paths.ts'

/** Everything secret that a cluster has, from one key: log-ins of the Redis and Sentinel users, and the key prefix. */
export interface Secrets {
  readonly key: string
  readonly prefix: string
  readonly admin: string
  readonly reader: string
  readonly notifier: string
  readonly replica: string
  readonly sentinel: string
}

export function secretsFrom(key: string): Secrets {
  const derive = (what: string) => createHmac('sha256', key).update(what).digest('hex').slice(0, 40)
  return {
    key,
    prefix: `nq:${derive('prefix').slice(0, 24)}:`,
    admin: derive('admin'),
    reader: derive('reader'),
    notifier: derive('notifier'),
    replica: derive('replica'),
    sentinel: derive('sentinel'),
  }
}

/** The secrets of this server, made at its first start. Throws a sentence if the file is damaged. */
export function ensureSecrets(paths: Paths): Secrets {
  return readSecrets(paths) ?? newSecrets(paths)
}

/** Other secrets than before, if there were some. */
export function newSecrets(paths: Paths): Secrets {
  const key = randomBytes(32).toString('hex')
  writeSecrets(paths, key)
  return secretsFrom(key)
}

/** The secrets of this server; undefined before its first start. Throws a sentence if the file is damaged. */
export function readSecrets(paths: Paths): Secrets | undefined {
  const text = readIfThere(paths.secrets)
  if (text === undefined) return undefined
  const key = /^\{"key":"([0-9a-f]{64})"\}\s*$/.exec(text)?.[1]
  if (!key) throw new Error(`${paths.secrets} is damaged; take it from a server of the same cluster`)
  return secretsFrom(key)
}

/** Readable for root and the group only: netqd, which is in the group, needs the reader's log-in. */
export function writeSecrets(paths: Paths, key: string): void {
  replaceFile(paths.secrets, `{"key":"${key}"}\n`, 0o640)
}
