import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LabServer } from '../../lab/server.ts'
import { readSecrets } from '../../src/config/secrets.ts'
import { runOn } from '../support/backups.ts'
import { TestCluster } from '../support/cluster.ts'
import { until } from '../support/until.ts'

const integrations = {
  webhook: 'https://hooks.slack.com/services/T000/B000/slack-secret-1',
  accessKey: 'pagerduty-access-2',
  integrationKey: 'pagerduty-integration-3',
  password: 'mail "pass" word-4',
  url: 'https://example.org/in?key=hook-secret-5',
  secret: 'signing-secret-6',
}
const yml = `# a comment
notifier-integrations:
  - {name: ops, type: slack, webhook: "${integrations.webhook}"}
  - name: pd
    type: pagerduty
    api_access_key: ${integrations.accessKey}
    api_integration_key: ${integrations.integrationKey}
  - {name: mail, type: email, password: '${integrations.password}'}
  - {name: hook, type: webhook, url: "${integrations.url}", secret: ${integrations.secret}}
`

let cluster: TestCluster
let server: LabServer
beforeAll(async () => {
  cluster = new TestCluster()
  cluster.servers.splice(1)
  server = cluster.servers[0]!
  await cluster.start()
  await until('it is a server', 15_000, () => cluster.allOk(server))
  mkdirSync(dirname(server.paths.netqConfig), { recursive: true })
  writeFileSync(server.paths.netqConfig, yml)
  // A careless program, whatever it is.
  writeFileSync(
    join(server.paths.ctsLogs, 'cts-backup.log'),
    `posting to ${integrations.url} as ${integrations.password}\n`,
  )
})
afterAll(() => cluster.end())

/** The texts of an archive by their paths in it. */
function unpacked(archive: string): Map<string, string> {
  const folder = join(cluster.folder, `unpacked-${Date.now()}`)
  mkdirSync(folder)
  execFileSync('tar', ['-xzf', archive, '-C', folder, '--strip-components=1'])
  const files = execFileSync('find', [folder, '-type', 'f'], { encoding: 'utf8' }).trim().split('\n')
  return new Map(files.map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]))
}

async function made(): Promise<Map<string, string>> {
  const { out, status } = await runOn(server, 'cts-support')
  expect(status).toBe(0)
  const [archive = ''] = out.split('\n')
  expect(archive).toMatch(/var\/support\/cts-support_[\d.]+_\d{8}_\d{6}\.tar\.gz$/)
  expect(statSync(archive).mode & 0o007).toBe(0)
  return unpacked(archive)
}

function expectNoSecret(files: ReadonlyMap<string, string>): void {
  const own = Object.values(readSecrets(server.paths)!) as string[]
  const digests = own.map((secret) => createHash('sha256').update(secret).digest('hex'))
  const [, ...key] = readFileSync(server.paths.identityKey, 'utf8').trim().split('\n')
  for (const secret of [...own, ...digests, ...Object.values(integrations), 'slack-secret-1', key[0]!])
    for (const [path, text] of files) expect(text.includes(secret), `${secret} in ${path}`).toBe(false)
}

test('the archive has what a support case needs, and no secret', async () => {
  const files = await made()
  expectNoSecret(files)
  expect(files.get('configuration/etc/netq/netq.yml')).toContain('# a comment')
  expect(files.get('configuration/etc/cts/run/redis/redis_6379.conf')).toMatch(/^masterauth <hidden>$/m)
  expect(files.get('logs/var/log/cts/cts-auth.log')).toContain('started, version')
  expect(files.get('cluster/servers.json')).toContain(`"server": "${server.address}"`)
  expect(files.get('redis/info.txt')).toMatch(/^role:master/m)
  expect(files.get('services.txt')).toMatch(/^redis +runs, pid \d+$/m)
  expect(files.get('versions.txt')).toMatch(/^netq \d+\.\d+\.\d+\nnode v/)
  expect(files.get('memory.txt')).toMatch(/^MemAvailable:/m)
  expect([...files.keys()].filter((path) => /secrets|identity/.test(path))).toEqual([])
})

test('it is made with every daemon down, from a configuration that is no YAML, and without the key', async () => {
  await server.stop()
  writeFileSync(server.paths.netqConfig, `${yml}\n: {`)
  const files = await made()
  expectNoSecret(files)
  expect(files.get('cluster/servers.json')).toMatch(/^It could not be had: /)
  expect(files.get('redis/info.txt')).toMatch(
    /^It could not be had: .* refused the connection \(not running\)\n$/,
  )
  expect(files.get('services.txt')).toMatch(/^redis +does not run$/m)
  expect(files.get('logs/var/log/cts/cts-auth.log')).toContain('started, version')
})
