import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Paths } from '../platform/paths.ts'

/** Who this server is to the others: a key and a self-signed certificate, made at its first start. */
export interface Identity {
  readonly key: string
  readonly certificate: string
  /** SHA-256 of the certificate, as operators compare it: AB:CD:... */
  readonly fingerprint: string
}

export function loadIdentity(paths: Paths): Identity {
  if (!existsSync(paths.identityCertificate)) makeIdentity(paths)
  const certificate = readFileSync(paths.identityCertificate, 'utf8')
  return {
    key: readFileSync(paths.identityKey, 'utf8'),
    certificate,
    fingerprint: new X509Certificate(certificate).fingerprint256,
  }
}

function makeIdentity(paths: Paths): void {
  mkdirSync(dirname(paths.identityKey), { recursive: true })
  const fresh = `${paths.identityCertificate}.new`
  const argv =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=netq-telemetry-server'
  execFileSync('openssl', [...argv.split(' '), '-keyout', paths.identityKey, '-out', fresh], {
    stdio: 'pipe',
  })
  chmodSync(paths.identityKey, 0o600)
  // The certificate appears last: an interrupted start makes a new pair rather than keeping half of one.
  renameSync(fresh, paths.identityCertificate)
}
