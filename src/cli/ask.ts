import { ASK_AGAIN, EXIT_MARK, NEEDS_YES } from '../api/types.ts'
import { pathsUnder } from '../platform/paths.ts'
import type { Arguments } from '../tables/table.ts'
import type { Command, Context } from './command.ts'
import { type Answer, BrokenOff, NoAnswer, post } from './http.ts'
import { type Place, placeNamed, titleOf } from './places.ts'

type RemoteCommand = Extract<Command, { where: 'netqd' | 'cts-auth' }>

/** How long a daemon may take to begin its answer. */
const firstByteMs = 5000
/** How long a daemon may take to be there again when it says that it starts anew. */
const startsAnewMs = 15_000

/**
 * Asks the servers in order until one answers, and shows its answer as it comes. Resolves to the exit status.
 * A server that cannot be reached, or that says that it cannot answer (5xx), is passed over, and that is said; a
 * command that changes something goes to the first server only.
 */
export async function ask(command: RemoteCommand, args: Arguments, context: Context): Promise<number> {
  if (!command.confirms || args.yes) return askOnce(command, args, context)
  const status = await askOnce(command, args, context)
  if (status !== NEEDS_YES) return status
  const sure = await context.io.confirm('Go on?')
  if (sure) return askOnce(command, { ...args, yes: true }, context)
  await context.io.err(`Nothing was changed.${sure === undefined ? ' To do it, add the word: yes' : ''}\n`)
  return 1
}

async function askOnce(command: RemoteCommand, args: Arguments, context: Context): Promise<number> {
  const { io, places, on } = context
  const candidates = on === undefined ? places.servers : [placeNamed(places, on)]
  const servers = command.changes ? candidates.slice(0, 1) : candidates
  const { path, body } = command.request(args)
  const failures: { place: Place; why: string }[] = []
  for (const place of servers) {
    const paths = pathsUnder(place.root)
    const socket = command.where === 'netqd' ? paths.netqdSocket : paths.ctsAuthSocket
    let answer: Answer
    try {
      answer = await postAgain(socket, path, body)
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      failures.push({ place, why: error.message })
      continue
    }
    if (answer.status < 400) {
      if (failures.length > 0) await io.err(failures.map((failure) => noteOf(failure, place)).join(''))
      if (answer.note !== undefined) await io.err(`${answer.note}\n`)
      return show(answer, context, titleOf(place))
    }
    const refusal = await refusalOf(answer)
    if (answer.status < 500 || servers.length === 1) {
      await io.err(`${refusal}\n`)
      return 1
    }
    failures.push({ place, why: refusal })
  }
  await io.err(summaryOf(command, failures, places.named))
  return 1
}

/** A daemon that starts anew with what it was told is asked again; nobody else has to know. */
async function postAgain(socket: string, path: string, body: unknown): Promise<Answer> {
  let answer = await post(socket, path, body, firstByteMs)
  for (
    const end = performance.now() + startsAnewMs;
    answer.status === ASK_AGAIN && performance.now() < end;
  ) {
    for await (const _ of answer.body);
    answer = await untilThere(end, () => post(socket, path, body, firstByteMs))
  }
  return answer
}

/** The first answer that there is until `end`, the time in milliseconds; then it throws what the last attempt threw. */
async function untilThere(end: number, attempt: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof NoAnswer) || performance.now() > end) throw error
    }
  }
}

function noteOf(failure: { place: Place; why: string }, answered: Place): string {
  return `${failure.place.name} does not answer (${failure.why}); this is ${answered.name}'s answer.\n`
}

/** Why there is no answer, and what to do. */
function summaryOf(
  command: RemoteCommand,
  failures: { place: Place; why: string }[],
  named: boolean,
): string {
  const daemon = command.where
  const only = failures.length === 1 ? failures[0] : undefined
  const lines = only
    ? [`netq: ${daemon} on ${titleOf(only.place)} does not answer (${only.why}).`]
    : [
        `netq: ${daemon} does not answer on any server:`,
        ...failures.map((failure) => `  ${titleOf(failure.place)}: ${failure.why}`),
      ]
  const idle = failures.every((failure) => failure.why.startsWith('not running'))
  if (command.changes && !idle) {
    lines.push('Whether anything was changed is not known. To see it: netq config ts show server')
  } else if (command.changes) lines.push('Nothing was changed.')
  if (idle && named) lines.push('To start the demo: npm run demo')
  else if (idle) lines.push(`Type it on a telemetry server, or start it here: systemctl start ${daemon}`)
  return `${lines.join('\n')}\n`
}

async function refusalOf(answer: Answer): Promise<string> {
  const parts: Buffer[] = []
  try {
    for await (const part of answer.body) parts.push(part)
  } catch {
    // What has come of the sentence is better than nothing.
  }
  const text = Buffer.concat(parts).toString().trim()
  if (answer.type.includes('json')) {
    try {
      const { message } = JSON.parse(text) as { message?: unknown }
      if (typeof message === 'string') return message
    } catch {
      // Then it is shown as it came.
    }
  }
  return text || `The answer was refused with status ${answer.status}, without a reason.`
}

/** Shows an answer but for the mark at its end; the exit status is the mark's, or 0 for an answer without one. */
async function show(answer: Answer, context: Context, title: string): Promise<number> {
  const { io } = context
  const start = Buffer.from(EXIT_MARK)
  let held: Buffer = Buffer.alloc(0)
  let why = ''
  try {
    for await (const part of answer.body) {
      const bytes = held.length === 0 ? part : Buffer.concat([held, part])
      const at = bytes.indexOf(start[0]!)
      const end = at < 0 ? bytes.length : at
      if (end > 0) await io.out(bytes.subarray(0, end))
      held = bytes.subarray(end)
    }
  } catch (error) {
    if (!(error instanceof BrokenOff)) throw error
    why = error.message
  }
  const mark = held.subarray(0, start.length).equals(start)
    ? held.subarray(start.length).toString()
    : undefined
  const status = /^(\d{1,3})\s*$/.exec(mark ?? '')?.[1]
  if (status !== undefined) return Number(status)
  if (answer.delimited && why === '' && held.length === 0) return 0
  await io.err(`netq: ${why || 'the answer broke off'}: what ${title} has said above is not all of it.\n`)
  return 1
}
