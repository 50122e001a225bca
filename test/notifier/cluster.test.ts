import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readSecrets } from '../../src/config/secrets.ts'
import { readStatus } from '../../src/notifier/status.ts'
import { readIfThere } from '../../src/platform/files.ts'
import { connect } from '../../src/store/connection.ts'
import { keysUnder } from '../../src/store/keys.ts'
import { READER, REDIS_PORT } from '../../src/store/names.ts'
import { TestCluster } from '../support/cluster.ts'
import { Nodes } from '../support/nodes.ts'
import { SECRET, WebhookReceiver } from '../support/receiver.ts'
import { until } from '../support/until.ts'

let cluster: TestCluster
let receiver: WebhookReceiver
let nodes: Nodes | undefined

beforeEach(async () => {
  cluster = new TestCluster()
  for (const server of cluster.servers) server.extras = ['netq-notifier']
  receiver = new WebhookReceiver()
  await receiver.start()
})
afterEach(async () => {
  await nodes?.stop()
  nodes = undefined
  await cluster.end()
  await receiver.stop()
})

const config = (name: string, ...words: string[]) => cluster.netq(name, 'config', 'ts', ...words)
const fileOf = (name: string) => cluster.named(name).paths.netqConfig

async function addWebhook(name: string): Promise<void> {
  const words = ['add', 'notifier', 'webhook', 'hook', 'url', receiver.url, 'secret', SECRET]
  expect(await config(name, ...words)).toMatchObject({ status: 0, err: '' })
  await everywhere(receiver.url)
}

/** Waits until the netq.yml of all servers has this text. */
async function everywhere(text: string): Promise<void> {
  for (const server of cluster.servers) {
    await until(`${server.name} has it in its netq.yml`, 15_000, () =>
      (readIfThere(server.paths.netqConfig) ?? '').includes(text),
    )
  }
}

/** Waits until the notifier has seen these servers well: it tells of changes from what it has seen. */
async function observed(servers: readonly string[]): Promise<void> {
  const { paths, address } = cluster.named('ts01')
  const secrets = readSecrets(paths)!
  const login = { username: READER, password: secrets.reader }
  const redis = await connect({ host: address, port: REDIS_PORT, login })
  try {
    await until('the servers were seen', 20_000, async () => {
      const rows = await redis.hgetall(keysUnder(secrets.prefix).observed)
      return servers.every((ip) => /"status":"ok"/.test(rows[`cluster\t${ip}\tserver ${ip}`] ?? ''))
    })
  } finally {
    redis.disconnect()
  }
}

const shows = (name: string, state: string) =>
  until(`${name} is shown as ${state}`, 10_000, async () => {
    const { out, err } = await cluster.netq('ts01', 'leaf01', 'show', 'interfaces', name)
    if (!new RegExp(`${name} .* ${state} `).test(out)) throw new Error(out + err)
    return true
  })

const came = (what: string, pattern: RegExp, ms = 30_000) =>
  until(what, ms, () => receiver.events.some(({ message }) => pattern.test(message)))

describe('the notifier of a cluster', () => {
  test('the master is killed during 1,000 events: none is missing, and repeats are bounded by a batch', async () => {
    await cluster.form()
    await addWebhook('ts02')
    nodes = await Nodes.start(cluster, 10, 100)
    const wanted = new Set<string>()
    for (let i = 0; i < 100; i++) {
      for (const [n, node] of nodes.nodes.entries()) {
        node.set(i, 'down')
        wanted.add(`Link leaf${String(n + 1).padStart(2, '0')} swp${i + 1}`)
      }
      if (i === 60) await cluster.named('ts01').kill()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const links = () => receiver.events.filter(({ type }) => type === 'Link')
    await until('all events have come', 60_000, () => {
      const told = new Set(links().map(({ subject }) => subject))
      const missing = [...wanted].filter((subject) => !told.has(subject))
      if (missing.length > 0) throw new Error(`${missing.length} are missing, e.g. ${missing[0]}`)
      return true
    })
    expect(new Set(links().map(({ id }) => id)).size).toBe(wanted.size)
    expect(receiver.repeats).toBeLessThanOrEqual(500)
    expect(receiver.badSignatures).toBe(0)
    process.stdout.write(`1000 events, master killed: 0 missing, ${receiver.repeats} repeated\n`)
    await came('the failover is told', /^CLUSTER: the master changed from/)
    await until('the log files of the servers have all', 30_000, () => {
      const log = cluster.servers.map(({ paths }) => readIfThere(paths.notifierLog) ?? '').join('')
      return [...wanted].every((subject) => log.includes(` ${subject.replace('Link ', 'LINK: ')}: `))
    })
  })

  test('one configuration serves all servers, wherever and however it is made', async () => {
    await cluster.form()
    await addWebhook('ts02')
    const text = readFileSync(fileOf('ts03'), 'utf8')
    writeFileSync(
      fileOf('ts03'),
      `# by hand\n${text}notifier-filters:\n  - {name: by hand, rule: {type: Fan}, output: [None]}\n`,
    )
    await everywhere('by hand')
    expect(readFileSync(fileOf('ts03'), 'utf8')).toContain('# by hand')
    const shown = await config('ts01', 'show', 'notifier')
    expect(shown.out).toContain('netq-notifier is running; this server is the master and sends.')
    expect(shown.out).toMatch(/^hook +webhook +INFO +url: \(hidden\), secret: \(hidden\) +ok/m)
    expect(shown.out).toMatch(/^by hand +type: Fan +None/m)
    const json = (await config('ts01', 'show', 'notifier', 'json')).out
    expect(JSON.parse(json).settings.filters[0].name).toBe('by hand')
    for (const text of [shown.out, json]) {
      expect(text).not.toContain(SECRET)
      expect(text).not.toContain(receiver.url)
    }

    appendFileSync(fileOf('ts01'), 'notifier-silences:\n  - {name: x, ruel: {}}\n')
    await until('the mistake is shown with its line', 15_000, async () => {
      const { out } = await config('ts01', 'show', 'notifier')
      return /netq\.yml, line \d+: .*`ruel` is not known/.test(out)
    })
    const refused = await config('ts01', 'add', 'notifier', 'loglevel', 'debug')
    expect(refused.status).toBe(1)
    expect(refused.err).toMatch(/line \d+: .*ruel[\s\S]*Nothing was changed/)
    expect((await config('ts02', 'show', 'notifier')).out).toMatch(/^by hand/m)
    writeFileSync(fileOf('ts01'), readFileSync(fileOf('ts02'), 'utf8'))

    const unknown = await config('ts02', 'add', 'notifier', 'filter', 'a', 'output', 'nobody')
    expect(unknown).toMatchObject({ status: 1, out: '' })
    expect(unknown.err).toContain('nobody')
    expect((await config('ts02', 'del', 'notifier', 'slack', 'x')).err).toContain(
      'There is no slack called x',
    )
  })

  test('a receiver that is gone holds up nobody, is shown, and gets all when it is back; silences; explain; test', async () => {
    await cluster.form()
    await addWebhook('ts01')
    nodes = await Nodes.start(cluster, 2, 3)
    receiver.answer = () => 503
    const [first, second] = nodes.nodes as [Nodes['nodes'][0], Nodes['nodes'][0]]
    first.set(0, 'down')
    const log = cluster.named('ts01').paths.notifierLog
    await until('the log file has it', 15_000, () =>
      /LINK: leaf01 swp1: state changed/.test(readIfThere(log) ?? ''),
    )
    expect(readFileSync(log, 'utf8')).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 \S+ netq-notifier\[\d+\]: ERROR: filter#default: LINK: leaf01 swp1: /m,
    )
    await until('it is shown', 15_000, async () =>
      /^hook .* not taken for \d+s: .*503/m.test((await config('ts01', 'show', 'notifier')).out),
    )
    receiver.answer = () => 200
    await came('it comes', /^LINK: leaf01 swp1/)

    const silence = await config('ts02', 'add', 'notifier', 'silence', 'hostname', 'leaf02', 'for', '2h')
    expect(silence.out).toMatch(/^silence-1: nobody is told of events with hostname leaf02 until /)
    await everywhere('silence-1')
    await until('it is in force', 10_000, async () => {
      second.set(1, 'down')
      second.set(1, 'up')
      return /silenced .*LINK: leaf02 swp2/.test((await cluster.netq('ts03', 'show', 'notifications')).out)
    })
    const explained = await config('ts03', 'notifier', 'explain', 'hostname', 'leaf02')
    expect(explained.out).toContain('Sent to: nowhere, because of the silence silence-1')
    expect((await config('ts03', 'notifier', 'explain', 'severity', 'bogus')).err).toContain(
      'There is no severity bogus. It is one of INFO, WARNING, ERROR, CRITICAL',
    )
    await config('ts03', 'del', 'notifier', 'silence', 'silence-1')

    const before = receiver.events.length
    expect((await config('ts02', 'notifier', 'test', 'hook')).out).toBe('hook has taken the test\n')
    expect(receiver.events.slice(before).map(({ message }) => message)).toEqual([
      'TEST: this is a test of hook, sent by an operator',
    ])
    expect((await config('ts02', 'notifier', 'test', 'nobody')).err).toContain(
      'There is no integration nobody',
    )

    for (let i = 0; i < 3; i++) {
      first.set(2, 'down')
      await shows('swp3', 'down')
      first.set(2, 'up')
      await shows('swp3', 'up')
    }
    await came('flapping is told', /^LINK: leaf01 swp3: .*\(flapping: \d changes within 60 s\)/)
    const { out } = await cluster.netq('ts02', 'leaf01', 'show', 'notifications')
    expect(out).toMatch(/^\d+s +hook +default +sent +\d+ +ERROR +LINK: leaf01 swp1/m)
  })

  test('that nothing can be written is told by the master, once, and that it can again', async () => {
    await cluster.form()
    await addWebhook('ts01')
    await observed(cluster.addresses)
    await cluster.named('ts02').kill()
    await cluster.named('ts03').kill()
    await came('the stop is told', /^CLUSTER: writes have stopped/)
    await cluster.named('ts02').start()
    await came('its end is told', /^CLUSTER: writes are taken again/)
    expect(receiver.events.filter(({ message }) => /writes have stopped/.test(message))).toHaveLength(1)
    await came(
      'the server that is lost is told',
      /^CLUSTER: replica \S+: status changed from ok to unreachable/,
    )
  })

  test('that no Redis answers any more is told as well, by a server that cannot ask its own', async () => {
    await cluster.form()
    await addWebhook('ts01')
    await until('all notifiers know the receiver', 15_000, () =>
      cluster.servers.every(({ paths }) => 'hook' in (readStatus(paths)?.lanes ?? {})),
    )
    const stores = await Promise.all(cluster.servers.map(({ services }) => services.running('redis')))
    const hung = stores.map((store) => store!.pid)
    for (const pid of hung) process.kill(pid, 'SIGSTOP')
    try {
      await came(
        'the stop is told',
        /^CLUSTER: writes have stopped: no server is the master, or it does not answer/,
      )
    } finally {
      for (const pid of hung) process.kill(pid, 'SIGCONT')
    }
    await came('its end is told', /^CLUSTER: writes are taken again/)
  })
})
