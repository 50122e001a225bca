import { execFileSync } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
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

/** Throws one sentence if the files are damaged: with a new identity the others would no longer know this server. */
export function loadIdentity(paths: Paths): Identity {
  if (!existsSync(paths.identityCertificate)) makeIdentity(paths)
  try {
    const certificate = readFileSync(paths.identityCertificate, 'utf8')
    const key = readFileSync(paths.identityKey, 'utf8')
    const x509 = new X509Certificate(certificate)
    if (!x509.checkPrivateKey(createPrivateKey(key))) throw new Error('not a pair')
    return { key, certificate, fingerprint: x509.fingerprint256 }
  } catch {
    throw new Error(
      `the identity of this server is damaged: ${paths.identityKey} and ${paths.identityCertificate} are missing, cannot be read or are not a pair. Nothing was changed. Restore both; or remove both, start again, and run netq config ts add server with the cluster's servers here and on the others`,
    )
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
  // For the group too: netqd, which is in it, shows the same certificate to the nodes.
  chmodSync(paths.identityKey, 0o640)
  // The certificate appears last: an interrupted start makes a new pair rather than keeping half of one.
  renameSync(fresh, paths.identityCertificate)
}
