import { hostname } from 'node:os'
import type { FastifyInstance } from 'fastify'
import type {
  ClusterView,
  JsonRequest,
  NotifierEdit,
  NotifierExplain,
  NotifierService,
  NotifierTest,
} from '../api/types.ts'
import { ConfigMistakes } from '../config/yml-file.ts'
import type { Log } from '../platform/log.ts'
import type { Paths } from '../platform/paths.ts'
import type { Services } from '../platform/services.ts'
import { makeChannel, receiversOf } from './channels/index.ts'
import { type NotifierSections, readNotifierSections } from './config.ts'
import type { LocalStore } from './connection.ts'
import { applyEdit, type Sections } from './edits.ts'
import { explain } from './filters.ts'
import { masterOf } from './notifier.ts'
import { SettingsKeeper, settingsOf, textOf } from './settings.ts'
import { readStatus } from './status.ts'
import { Stale } from './store.ts'
import { type Event, SEVERITIES } from './types.ts'
import { settingsText, withoutSecrets } from './view.ts'

export interface NotifierApiParts {
  readonly paths: Paths
  readonly local: LocalStore
  readonly services: Services
  readonly log: Log
  view(): Promise<ClusterView>
}

/** How long a receiver may take for a test, in milliseconds. */
const TEST_MS = 10_000

/** What `netq config ts ... notifier ...` asks of cts-auth. */
export function notifierApi(server: FastifyInstance, parts: NotifierApiParts): void {
  const { paths, services, local, log } = parts
  const text = 'text/plain'
  server.post<{ Body: NotifierEdit }>('/v1/notifier/edit', async (call, reply) => {
    try {
      return await reply.type(text).send(`${await edit(parts, call.body)}\n`)
    } catch (error) {
      if (!(error instanceof ConfigMistakes)) throw error
      const sentences = error.mistakes.map((mistake) => `${mistake}\n`).join('')
      return reply.code(400).type(text).send(`${sentences}Nothing was changed.\n`)
    }
  })
  server.post<{ Body: JsonRequest }>('/v1/notifier/show', async (call, reply) => {
    const { text: shared } = await (await local.get()).store.settings()
    const running = await services.running('netq-notifier')
    const status = running ? readStatus(paths) : undefined
    const shown = { running: running !== undefined, status, settings: await settingsOf(shared) }
    return call.body?.json
      ? withoutSecrets(shown)
      : reply.type(text).send(settingsText(shown, paths.notifierLog, Date.now()))
  })
  server.post<{ Body: NotifierTest }>('/v1/notifier/test', async (call, reply) => {
    const sentence = await test(parts, call.body.integration)
    return reply.type(text).send(`${sentence}\n`)
  })
  server.post<{ Body: NotifierExplain }>('/v1/notifier/explain', async (call, reply) => {
    const settings = await settingsOf((await (await local.get()).store.settings()).text)
    const lines = explain(exampleEvent(call.body?.event ?? {}), settings)
    return reply.type(text).send(lines.map((line) => `${line}\n`).join(''))
  })
  server.post<{ Body: NotifierService }>('/v1/notifier/service', async (call, reply) => {
    const name = 'netq-notifier'
    const { do: what } = call.body
    const running = await services.running(name)
    if (what === 'status') {
      return reply
        .type(text)
        .send(
          running ? `netq-notifier is running (pid ${running.pid}).\n` : 'netq-notifier is not running.\n',
        )
    }
    if (what === 'start' && running)
      return reply.type(text).send(`netq-notifier is running already (pid ${running.pid}).\n`)
    if (what === 'stop' && !running) return reply.type(text).send('netq-notifier is not running.\n')
    log.info(`${what} of netq-notifier, as asked for`)
    await services[what](name)
    const doing = { start: 'Starting', stop: 'Stopping', restart: 'Restarting' }[what]
    return reply.type(text).send(`${doing} netq-notifier... Success!\n`)
  })
}

/** Changes the settings of all servers, from those of now; what was edited by hand on this server is taken in first. */
async function edit(parts: NotifierApiParts, wanted: NotifierEdit): Promise<string> {
  const keeper = new SettingsKeeper(parts.paths, parts.log)
  for (;;) {
    const { store } = await parts.local.get()
    const view = await parts.view()
    const openMaster = () => parts.local.openAt(masterOf(view))
    await keeper.look(store, openMaster)
    if (keeper.mistakes.length > 0) throw new ConfigMistakes(keeper.mistakes)
    const master = await openMaster()
    try {
      const { version, text } = await master.settings()
      const sections = (text === '' ? {} : JSON.parse(text)) as Sections
      const done = applyEdit(sections, wanted, Date.now())
      await master.publish(version, await checked(sections))
      return `${done}. ${view.formed ? `All ${view.servers.length} servers use it from now on.` : ''}`.trim()
    } catch (error) {
      // Somebody else was faster: the same again, from theirs.
      if (!(error instanceof Stale)) throw error
    } finally {
      master.close()
    }
  }
}

/** The sections as they are kept. Throws ConfigMistakes if they make no sense; there is no file and line to name. */
async function checked(sections: Sections): Promise<string> {
  try {
    return textOf((await readNotifierSections(textOf(sections as NotifierSections), 'command')).sections)
  } catch (error) {
    if (!(error instanceof ConfigMistakes)) throw error
    throw new ConfigMistakes(error.mistakes.map((mistake) => mistake.replace(/^command, line \d+: /, '')))
  }
}

async function test({ paths, local, log }: NotifierApiParts, name: string): Promise<string> {
  const settings = await settingsOf((await (await local.get()).store.settings()).text)
  const receivers = receiversOf(settings)
  const receiver = receivers.find((one) => one.name === name)
  if (!receiver) {
    throw new Error(
      `There is no integration ${name}. Nothing was sent. There are: ${receivers.map((one) => one.name).join(', ')}`,
    )
  }
  const channel = makeChannel(receiver, {
    server: hostname(),
    logFile: paths.notifierLog,
    log,
    timeoutMs: TEST_MS,
  })
  try {
    const event = exampleEvent({
      message: `TEST: this is a test of ${name}, sent by an operator`,
      severity: 'INFO',
    })
    const sent = await channel.send([{ event, filter: 'test' }], AbortSignal.timeout(2 * TEST_MS))
    if (sent.taken === 1) return `${name} has taken the test`
    throw new Error(`${name} has not taken the test: ${sent.problem}`)
  } finally {
    await channel.close()
  }
}

function exampleEvent(given: NotifierExplain['event']): Event {
  const { hostname: host = 'leaf01', type = 'Link', severity = 'ERROR', message } = given
  return {
    id: `test-${Date.now()}`,
    time: Date.now(),
    hostname: host,
    type,
    severity: severityOf(severity),
    message: message ?? `LINK: ${host} swp1: state changed from up to down`,
    subject: `${type} ${host} swp1`,
    recovers: false,
  }
}

function severityOf(word: string): Event['severity'] {
  const known = SEVERITIES.find((severity) => severity === word.toUpperCase())
  if (!known) throw new Error(`There is no severity ${word}. It is one of ${SEVERITIES.join(', ')}`)
  return known
}
