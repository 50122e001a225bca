import { describe, expect, it } from 'vitest'
import { ConfigMistakes } from '../../src/config/yml-file.ts'
import { shownOf } from '../../src/notifier/channels/index.ts'
import { readNotifierSections, withNotifierSections } from '../../src/notifier/config.ts'

const lines = (...text: string[]) => `${text.join('\n')}\n`
const settingsOf = async (...text: string[]) =>
  (await readNotifierSections(lines(...text), 'netq.yml')).settings

async function mistakes(...text: string[]): Promise<readonly string[]> {
  const error = await readNotifierSections(lines(...text), 'netq.yml').then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ConfigMistakes)
  return (error as ConfigMistakes).mistakes
}

const everything = { name: 'default', rule: {}, output: 'ALL', terminateOnMatch: true }

describe('the sections of the notifier', () => {
  it.each([
    ['nothing', ['']],
    ['only the agent', ['netq-agent: {port: 2000}']],
    [
      'empty sections',
      ['netq-notifier:', 'notifier-integrations:', 'notifier-filters:', 'notifier-silences:'],
    ],
    ['no filter left', ['notifier-filters: []']],
  ])('%s: the defaults', async (_what, text) => {
    expect(await settingsOf(...text)).toEqual({
      logLevel: 'info',
      integrations: [],
      filters: [everything],
      silences: [],
    })
  })

  it('are read as an operator of NetQ writes them', async () => {
    const settings = await settingsOf(
      'netq-notifier: {log_level: warning, syslog_server: "tcp://10.0.0.9:6514"}',
      'notifier-integrations:',
      '- name: slack-1',
      '  type: slack',
      '  webhook: "https://hooks.slack.com/services/a/b/c"',
      '  severity: warning',
      '  tag: "<@netops>"',
      '- {name: pd, type: pagerduty, api_access_key: "1234567890", api_integration_key: "9876543210"}',
      '- {name: chat, type: webhook, url: "http://10.0.0.9/x", secret: "0123456789abcdef"}',
      '- {name: noc, type: email, server: 127.0.0.1, security: none, from: netq@example.net, to: [noc@example.net]}',
      'notifier-filters:',
      '- name: leaf drop',
      '  rule:',
      '    hostname: "leaf-.*"',
      '  output:',
      '  - None',
      '- {name: bgp, rule: {type: BgpSession, severity: WARNING}, output: [slack-1, pd], terminate_on_match: False}',
      '- {name: quiet, rule: , output: }',
      '- name: default',
      '  rule:',
      '  output: [ALL]',
      'notifier-silences:',
      '- {name: works, rule: {hostname: leaf01}, until: 2026-11-23T18:00:00+01:00}',
    )
    expect(settings).toEqual({
      logLevel: 'warning',
      syslogServer: { protocol: 'tcp', host: '10.0.0.9', port: 6514 },
      integrations: [
        {
          name: 'slack-1',
          type: 'slack',
          severity: 'WARNING',
          webhook: 'https://hooks.slack.com/services/a/b/c',
          tag: '<@netops>',
        },
        {
          name: 'pd',
          type: 'pagerduty',
          severity: 'INFO',
          api_access_key: '1234567890',
          api_integration_key: '9876543210',
          url: 'https://events.pagerduty.com/v2/enqueue',
        },
        {
          name: 'chat',
          type: 'webhook',
          severity: 'INFO',
          url: 'http://10.0.0.9/x',
          secret: '0123456789abcdef',
        },
        {
          name: 'noc',
          type: 'email',
          severity: 'INFO',
          server: '127.0.0.1',
          port: 25,
          security: 'none',
          from: 'netq@example.net',
          to: ['noc@example.net'],
        },
      ],
      filters: [
        { name: 'leaf drop', rule: { hostname: 'leaf-.*' }, output: 'None', terminateOnMatch: true },
        {
          name: 'bgp',
          rule: { type: 'BgpSession', severity: 'WARNING' },
          output: ['slack-1', 'pd'],
          terminateOnMatch: false,
        },
        { name: 'quiet', rule: {}, output: [], terminateOnMatch: true },
        everything,
      ],
      silences: [{ name: 'works', rule: { hostname: 'leaf01' }, until: Date.UTC(2026, 10, 23, 17) }],
    })
    const shown = settings.integrations.map(shownOf)
    expect(shown[0]).toMatchObject({ webhook: '(hidden)', tag: '<@netops>' })
    expect(JSON.stringify(shown)).not.toMatch(/hooks\.slack|1234567890|9876543210|0123456789abcdef/)
  })

  it('tell all their mistakes together, each with its line', async () => {
    expect(
      await mistakes(
        'netq-notifier:',
        '  log_level: loud',
        '  syslog_server: tcp://logs.example.net:514',
        'notifier-integrations:',
        '- name: slack-1',
        '  type: slack',
        '  webhook: hooks.slack.com/services/SECRET',
        '  severity: LOUD',
        '  colour: red',
        '- {name: slack-1, type: irc}',
        '- name: all',
        '  type: pagerduty',
        '  api_integration_key: 9876543210',
        '- type: webhook',
        '  url: "https://user:SECRET@10.0.0.9/"',
        '  secret: SECRET',
        'notifier-filters:',
        '- rule: {hostname: "leaf-(.*"}',
        '  output: [slack-2]',
        '- name: twice',
        '  rule: {hostnam: leaf01, severity: SEVERE, ifname: 7}',
        '  output: [None, slack-1]',
        '- name: twice',
        '  output: ALL',
        '  terminate_on_match: sometimes',
        'notifier-silences:',
        '- {name: works, until: tomorrow}',
        'notifier-filter: []',
      ),
    ).toEqual([
      'netq.yml, line 2: `log_level` must be one of debug, info, warning, error',
      'netq.yml, line 3: `syslog_server` must be udp:// or tcp:// with an IP address and a port, such as udp://10.0.0.9:514',
      'netq.yml, line 7: `webhook` must be an address that begins with https:// or http://, without a user and a password',
      'netq.yml, line 8: `severity` must be one of INFO, WARNING, ERROR, CRITICAL',
      'netq.yml, line 9: the key `colour` is not known (known: name, type, severity, webhook, tag, url)',
      'netq.yml, line 10: an integration needs a `type`: one of slack, pagerduty, webhook, email',
      'netq.yml, line 10: there are two integrations with the name slack-1',
      'netq.yml, line 11: an integration cannot be called ALL, None, syslog, syslog-server',
      'netq.yml, line 13: `api_integration_key` is needed, a text (in quotes if it has only digits)',
      'netq.yml, line 14: an integration needs a `name` of up to 64 letters, digits, dots, dashes and underscores, without spaces',
      'netq.yml, line 15: `url` must be an address that begins with https:// or http://, without a user and a password',
      'netq.yml, line 16: `secret` is needed, a text of at least 16 characters (in quotes if it has only digits)',
      'netq.yml, line 18: a filter needs a `name` of up to 64 printable characters',
      'netq.yml, line 18: `hostname` is not a regular expression (missing closing ): `leaf-(.*`; look-around and back-references are not supported)',
      'netq.yml, line 19: `output` names the integration slack-2, which is not there (there are slack-1, all)',
      'netq.yml, line 21: `severity` must be one of INFO, WARNING, ERROR, CRITICAL, or a regular expression for several',
      'netq.yml, line 21: `ifname` must be a regular expression, in quotes if it has only digits',
      'netq.yml, line 21: the key `hostnam` is not known (known: hostname, type, severity, ifname, message)',
      'netq.yml, line 22: `output` has None and others: it stands alone',
      'netq.yml, line 23: there are two filters with the name twice',
      'netq.yml, line 24: `output` must be a list: of integrations, or [ALL], or [None]',
      'netq.yml, line 25: `terminate_on_match` must be True or False',
      'netq.yml, line 27: `until` must be a time such as 2026-11-23T18:00:00Z',
      'netq.yml, line 28: the key `notifier-filter` is not known (known: netq-agent, netq-notifier, notifier-integrations, notifier-filters, notifier-silences, netq-stats, netq-backup)',
    ])
  })

  it.each([
    [['notifier-filters: {name: x}'], 'line 1: `notifier-filters` must be a list'],
    [['notifier-filters: [x]'], 'line 1: a filter is a map of keys'],
    [['notifier-integrations: [x]'], 'line 1: an integration needs a `type`'],
    [
      ['notifier-filters:', '- {name: a, rule: leaf}'],
      'line 2: `rule` must be keys with regular expressions',
    ],
    [['notifier-filters:', '- {name: a, rule: {hostname: "(?=leaf)"}}'], 'look-around and back-references'],
    [['notifier-filters:', '- {name: a, rule: {hostname: "(a{1000}){9}"}}'], 'line 2: `hostname` is'],
    [
      ['notifier-filters:', '- {name: a, rule: {message: "a{1000}a{1000}a{1000}"}}'],
      '`message` is too large',
    ],
    [['netq-notifier: {syslog_server: "udp://10.0.0.9:70000"}'], 'line 1: `syslog_server` must be'],
    [['netq-notifier: {syslog_server: "udp://fd00::9:514"}'], 'line 1: `syslog_server` must be'],
    [['notifier-silences:', '- {name: a, until: 2026-13-41T00:00:00Z}'], 'line 2: `until` must be a time'],
    [['notifier-silences:', '- {name: a, until: 2026-11-23T18:00:00}'], 'line 2: `until` must be a time'],
  ])('%j', async (text, mistake) => {
    const found = await mistakes(...text)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(mistake)
  })

  const mail = '- {name: noc, type: email, from: a@b, to: [c@d], '
  it.each([
    ['server: mail, user: u}', 'line 2: `user` and `password` belong together'],
    [
      'server: mail, user: u, password: SECRET, security: none}',
      'line 2: `password` would travel in the clear',
    ],
    ['server: mail, security: maybe}', 'line 2: `security` must be one of starttls, tls, none'],
    ['server: mail, port: 0}', 'line 2: `port` must be a whole number from 1 to 65535'],
    ['security: none}', 'line 2: `server` is needed'],
  ])('e-mail with %j', async (keys, mistake) => {
    const found = await mistakes('notifier-integrations:', `${mail}${keys}`)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(mistake)
  })
})

describe('writing the sections', () => {
  const file = lines(
    '# kept by hand',
    'netq-agent:',
    '  port: 2000 # why',
    '# whom we tell',
    'notifier-filters:',
    '  # all for now',
    '  - name: default',
    '    rule:',
    '    output: [ALL]',
    'netq-notifier: {log_level: debug}',
  )

  it('replaces what differs, and keeps the rest and its comments', async () => {
    const { sections } = await readNotifierSections(file, 'netq.yml')
    expect(await withNotifierSections(file, sections)).toBe(file)
    const { 'netq-notifier': _gone, ...others } = sections
    const slack = { name: 's', type: 'slack', webhook: 'https://x/' }
    const fresh = await withNotifierSections(file, { ...others, 'notifier-integrations': [slack] })
    expect(fresh).toBe(
      lines(
        '# kept by hand',
        'netq-agent:',
        '  port: 2000 # why',
        '# whom we tell',
        'notifier-filters:',
        '  # all for now',
        '  - name: default',
        '    rule:',
        '    output: [ ALL ]',
        'notifier-integrations:',
        '  - name: s',
        '    type: slack',
        '    webhook: https://x/',
      ),
    )
    expect((await readNotifierSections(fresh, 'netq.yml')).settings.integrations).toHaveLength(1)
  })

  it('makes the same settings of the same sections, in whatever file', async () => {
    const { sections, settings } = await readNotifierSections(file, 'netq.yml')
    const elsewhere = await withNotifierSections('', JSON.parse(JSON.stringify(sections)))
    expect((await readNotifierSections(elsewhere, 'other.yml')).settings).toEqual(settings)
    expect(await withNotifierSections('netq-agent:\n  port: 1\n', sections)).toMatch(
      /^netq-agent:\n {2}port: 1\n/,
    )
  })

  it('refuses a text that is no YAML', async () => {
    await expect(withNotifierSections('a: [', {})).rejects.toBeInstanceOf(ConfigMistakes)
  })
})
