import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import source from './netq.lua'

/** The library's text for this cluster. */
function librarySource(prefix: string): string {
  return source.replaceAll('@PREFIX@', prefix)
}

/**
 * Loads the function library into a master unless it has this very text. Replicas get it by replication.
 * @returns whether it had to be loaded
 */
export async function loadLibrary(admin: Redis, prefix: string): Promise<boolean> {
  const wanted = librarySource(prefix)
  const [known] = (await admin.call('FUNCTION', 'LIST', 'LIBRARYNAME', 'netq', 'WITHCODE')) as unknown[][]
  if (known && digest(String(known[known.indexOf('library_code') + 1])) === digest(wanted)) return false
  await admin.call('FUNCTION', 'LOAD', 'REPLACE', wanted)
  return true
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
