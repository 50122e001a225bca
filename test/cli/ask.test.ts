import { spawn } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { EXIT_MARK } from '../../src/api/types.ts'
import { pathsUnder } from '../../src/platform/paths.ts'
import { type Asked, Daemon } from './daemon.ts'
import { Program } from './program.ts'

let program: Program
beforeAll(async () => {
  program = await Program.make()
})
afterAll(() => program.remove())

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

type Answer = (asked: Asked, response: ServerResponse, request: IncomingMessage) => void

async function daemon(socket: string, answer: Answer): Promise<Daemon> {
  const made = await Daemon.listen(socket, answer)
  closers.push(() => made.close())
  return made
}

/** Something that takes connections and answers them with these bytes, then hangs up. */
async function speaks(socket: string, bytes: string): Promise<void> {
  mkdirSync(dirname(socket), { recursive: true })
  const server = createServer((connection) => {
    connection.on('error', () => {})
    connection.once('data', () => connection.end(bytes))
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  closers.push(() => new Promise((resolve) => server.close(resolve)))
}

const text = (body: string): Answer => {
  return (_asked, response) => response.setHeader('content-type', 'text/plain').end(body)
}
const refuse = (status: number, body: string): Answer => {
  return (_asked, response) => response.writeHead(status, { 'content-type': 'text/plain' }).end(body)
}

describe('on a server', () => {
  const netqd = () => pathsUnder(program.root).netqdSocket
  const ctsAuth = () => pathsUnder(program.root).ctsAuthSocket

  it('asks netqd what was typed and shows its answer', async () => {
    const server = await daemon(netqd(), text('Matching agents records:\n'))
    expect(await program.run(['leaf*', 'show', 'agents', 'count'])).toEqual({
      status: 0,
      out: 'Matching agents records:\n',
      err: '',
    })
    expect(server.asked).toEqual([
      { path: '/v1/show', body: { table: 'agents', show: 0, hostname: 'leaf*', args: { count: true } } },
    ])
  })

  it('asks cts-auth about the cluster, with the addresses as typed', async () => {
    const server = await daemon(ctsAuth(), text('done\n'))
    await program.run(['config', 'ts', 'add', 'server', 'ts01', '10.0.0.6'])
    await program.run(['config', 'ts', 'show', 'server', '10.0.0.6', 'json'])
    expect(server.asked).toEqual([
      { path: '/v1/servers', body: { addresses: ['ts01', '10.0.0.6'] } },
      { path: '/v1/servers/show', body: { address: '10.0.0.6', json: true } },
    ])
  })

  it('shows every byte of a long answer', async () => {
    const body = `${'a line of a big table\n'.repeat(40_000)}the end\n`
    await daemon(netqd(), text(body))
    expect((await program.run(['show', 'agents'])).out).toBe(body)
  })

  it('shows a streamed answer as it comes and takes its exit status from the mark', async () => {
    let goOn = () => {}
    await daemon(ctsAuth(), (_asked, response) => {
      response.write('step 1\n')
      goOn = () => {
        response.write(`step 2\n${EXIT_MARK.slice(0, 3)}`)
        response.end(`${EXIT_MARK.slice(3)}3\n`)
      }
    })
    const child = spawn(`${program.folder}/bin/netq`, ['config', 'ts', 'show', 'server'], {
      env: { ...process.env, NETQ_ROOT: program.root },
    })
    let out = ''
    const first = new Promise<void>((resolve) => {
      child.stdout.on('data', (part) => {
        out += part
        resolve()
      })
    })
    const ended = new Promise((resolve) => child.on('close', resolve))
    await first
    expect(out).toBe('step 1\n')
    goOn()
    expect(await ended).toBe(3)
    expect(out).toBe('step 1\nstep 2\n')
  })

  it('a refusal goes to stderr as it is', async () => {
    await daemon(netqd(), refuse(503, 'Redis on this server does not answer.'))
    expect(await program.run(['show', 'agents'])).toEqual({
      status: 1,
      out: '',
      err: 'Redis on this server does not answer.\n',
    })
  })

  it('an error in JSON is shown as its message', async () => {
    await daemon(netqd(), (_asked, response) => {
      response.writeHead(500, { 'content-type': 'application/json' }).end('{"message":"it is broken"}')
    })
    expect(await program.run(['show', 'agents'])).toEqual({ status: 1, out: '', err: 'it is broken\n' })
  })

  it('says that the daemon is not running, and what to do', async () => {
    expect(await program.run(['show', 'agents'])).toEqual({
      status: 1,
      out: '',
      err:
        `netq: netqd on this server does not answer (not running: there is no ${netqd()}).\n` +
        'Type it on a telemetry server, or start it here: systemctl start netqd\n',
    })
    const { err } = await program.run(['config', 'ts', 'add', 'server', '10.0.0.5'])
    expect(err).toContain('cts-auth on this server does not answer')
    expect(err).toContain('Nothing was changed.')
  })

  it('waits 5 s for the answer to begin; whether a change was made is then not known', async () => {
    await daemon(ctsAuth(), () => {})
    const { status, err } = await program.run(['config', 'ts', 'add', 'server', '10.0.0.5'])
    expect(status).toBe(1)
    expect(err).toBe(
      'netq: cts-auth on this server does not answer (no answer within 5 s).\n' +
        'Whether anything was changed is not known. To see it: netq config ts show server\n',
    )
  })

  it('waits longer for a daemon that says that it is at work on the answer', {
    timeout: 20_000,
  }, async () => {
    await daemon(netqd(), (_asked, response) => {
      response.writeProcessing()
      setTimeout(() => response.end('all routes\n'), 5500)
    })
    expect(await program.run(['show', 'agents'])).toEqual({ status: 0, out: 'all routes\n', err: '' })
  })

  it.each([
    ['with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nleaf01  Fresh\n'],
    ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ne\r\nleaf01  Fresh\n\r\n'],
    ['until its end, without the mark', 'HTTP/1.0 200 OK\r\n\r\nleaf01  Fresh\n'],
  ])('says that an answer %s is not whole', async (_how, bytes) => {
    await speaks(netqd(), bytes)
    const { status, out, err } = await program.run(['show', 'agents'])
    expect(out).toBe('leaf01  Fresh\n')
    expect(err).toBe('netq: the answer broke off: what this server has said above is not all of it.\n')
    expect(status).toBe(1)
  })

  it('takes an answer that ends with the connection, if the mark ends it', async () => {
    await speaks(netqd(), `HTTP/1.0 200 OK\r\n\r\nleaf01\n${EXIT_MARK}0\n`)
    expect(await program.run(['show', 'agents'])).toEqual({ status: 0, out: 'leaf01\n', err: '' })
  })

  it.each([
    ['nothing', '', 'it hung up without an answer'],
    ['something else', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 'what it answered is not HTTP'],
  ])('says so when %s is answered', async (_what, bytes, why) => {
    await speaks(netqd(), bytes)
    const { status, err } = await program.run(['show', 'agents'])
    expect(status).toBe(1)
    expect(err).toContain(`netqd on this server does not answer (${why}).`)
  })

  it('is silent when its reader goes away', async () => {
    await daemon(netqd(), text('a line\n'.repeat(200_000)))
    const child = spawn('sh', ['-c', `"${program.folder}/bin/netq" show agents | head -1`], {
      env: { ...process.env, NETQ_ROOT: program.root },
    })
    let both = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (both += part))
    await new Promise((resolve) => child.on('close', resolve))
    expect(both).toBe('a line\n')
  })

  it('knows no --on', async () => {
    expect(await program.run(['--on', 'ts02', 'show', 'agents'])).toEqual({
      status: 1,
      out: '',
      err:
        'netq: `--on` chooses among the servers of a demo, and none runs here: ' +
        'leave it out, or run the command on that server.\n',
    })
  })
})

describe('where several servers run', () => {
  const names = ['ts01', 'ts02', 'ts03']
  const socketOf = (name: string) => pathsUnder(`${program.folder}/${name}`).netqdSocket
  const authOf = (name: string) => pathsUnder(`${program.folder}/${name}`).ctsAuthSocket
  let env: Record<string, string>

  beforeEach(() => {
    const servers = names.map((name, index) => ({ name, root: name, address: `127.0.0.${index + 5}` }))
    const file = program.write(
      'places.json',
      JSON.stringify({ servers, node: { name: 'host', root: 'host' } }),
    )
    env = { NETQ_ROOT: '', NETQ_DEMO: file }
  })

  it('asks the first', async () => {
    for (const name of names) await daemon(socketOf(name), text(`${name}\n`))
    expect(await program.run(['show', 'agents'], env)).toEqual({ status: 0, out: 'ts01\n', err: '' })
  })

  it.each([[['--on', 'ts03']], [['--on=ts03']]])('%s asks that one', async (on) => {
    for (const name of names) await daemon(socketOf(name), text(`${name}\n`))
    expect(await program.run([...on, 'show', 'agents'], env)).toMatchObject({ status: 0, out: 'ts03\n' })
    expect(await program.run(['show', 'agents', ...on], env)).toMatchObject({ status: 0, out: 'ts03\n' })
  })

  it('asks the next when one is not there or cannot answer, and says so', async () => {
    await daemon(socketOf('ts02'), refuse(503, 'Redis does not answer'))
    await daemon(socketOf('ts03'), text('ts03\n'))
    expect(await program.run(['show', 'agents'], env)).toEqual({
      status: 0,
      out: 'ts03\n',
      err:
        `ts01 does not answer (not running: there is no ${socketOf('ts01')}); this is ts03's answer.\n` +
        "ts02 does not answer (Redis does not answer); this is ts03's answer.\n",
    })
  })

  it('does not ask another about a question that one has refused', async () => {
    await daemon(socketOf('ts01'), refuse(400, 'That is no VLAN.'))
    const other = await daemon(socketOf('ts02'), text('ts02\n'))
    expect(await program.run(['show', 'agents'], env)).toEqual({
      status: 1,
      out: '',
      err: 'That is no VLAN.\n',
    })
    expect(other.asked).toEqual([])
  })

  it('names all that it asked when none answers', async () => {
    const { status, err } = await program.run(['show', 'agents'], env)
    expect(status).toBe(1)
    expect(err).toBe(
      'netq: netqd does not answer on any server:\n' +
        names
          .map(
            (name, index) => `  ${name} (127.0.0.${index + 5}): not running: there is no ${socketOf(name)}\n`,
          )
          .join('') +
        'To start the demo: npm run demo\n',
    )
  })

  it('a change goes to the first only', async () => {
    const other = await daemon(authOf('ts02'), text('ts02\n'))
    const { status, err } = await program.run(['config', 'ts', 'add', 'server', '127.0.0.5'], env)
    expect(status).toBe(1)
    expect(err).toContain('netq: cts-auth on ts01 (127.0.0.5) does not answer (not running')
    expect(err).toContain('Nothing was changed.')
    expect(other.asked).toEqual([])
  })

  it('a name that is not there is refused', async () => {
    expect(await program.run(['--on', 'ts09', 'show', 'agents'], env)).toEqual({
      status: 1,
      out: '',
      err: 'netq: `--on` does not know "ts09": it takes ts01, ts02, ts03, host.\n',
    })
  })

  it.each([
    [['show', 'agents', '--on'], '`--on` needs the name of a server'],
    [['--on', 'ts01', '--on', 'ts02', 'show', 'agents'], '`--on` is given twice'],
  ])('%s is refused', async (words, why) => {
    const { status, err } = await program.run(words, env)
    expect(status).toBe(1)
    expect(err).toContain(why)
  })

  it('a command of the node works on the node, or on the place that --on names', async () => {
    const words = ['config', 'add', 'server', '127.0.0.5']
    for (const [on, name] of [
      [[], 'host'],
      [['--on', 'ts02'], 'ts02'],
    ] as const) {
      expect(await program.run([...on, ...words], env)).toMatchObject({ status: 0 })
      expect(existsSync(pathsUnder(`${program.folder}/${name}`).netqConfig)).toBe(true)
    }
    expect(existsSync(pathsUnder(`${program.folder}/ts01`).netqConfig)).toBe(false)
  })

  it('a damaged list is refused', async () => {
    const file = program.write('broken.json', '{"servers": []}')
    expect(await program.run(['show', 'agents'], { ...env, NETQ_DEMO: file })).toEqual({
      status: 1,
      out: '',
      err: `netq: ${file} is damaged (it lists no servers): start the demo again, or set NETQ_ROOT.\n`,
    })
  })

  it('completes the words and the names', async () => {
    const complete = async (...words: string[]) =>
      (await program.run(['__complete', ...words], env)).out.split('\n')
    expect(await complete('--on', 'ts')).toEqual([...names, ''])
    expect(await complete('--on', '=', 'h')).toEqual(['host', ''])
    expect(await complete('--')).toEqual(['--on', ''])
    expect(await complete('--on', 'ts02', 'show', 'ag')).toEqual(['agents', ''])
  })

  it('bash completes with the script that it prints', async () => {
    const script = [
      `source <("${program.folder}/bin/netq" completion bash)`,
      `COMP_WORDS=("${program.folder}/bin/netq" config ts del '')`,
      'COMP_CWORD=4',
      '_netq',
      'declare -p COMPREPLY',
    ]
    const child = spawn('bash', ['-c', script.join('\n')], { env: { ...process.env, ...env } })
    let out = ''
    child.stdout.on('data', (part) => (out += part))
    await new Promise((resolve) => child.on('close', resolve))
    expect(out).toBe('declare -a COMPREPLY=([0]="notifier" [1]="server")\n')
  })
})

describe('what was typed wrong', () => {
  it('is told on stderr with the nearest lines, and status 2', async () => {
    expect(await program.run(['shwo', 'agents'])).toEqual({
      status: 2,
      out: '',
      err:
        'netq: there is no command `shwo agents`.\n' +
        '  netq [<hostname>] show agents [count] [json]\n' +
        'All commands: netq help list\n',
    })
    expect((await program.run([])).status).toBe(2)
  })
})

describe('help', () => {
  it('lists every line, as the page has them', async () => {
    const { status, out } = await program.run(['help', 'list'])
    expect(status).toBe(0)
    expect(out).toContain('\nnetq config ts add server <ip-master> <ip-replica> <ip-replica>')
    expect(out.split('\n')).toContain('netq config add server <ip> [port <1025-65535>] [vrf <vrf>]')
    expect(out.split('\n')).toContain('netq [<hostname>] show agents [count] [json]')
    expect(out).not.toContain('...]\nnetq __')
    expect((await program.run(['help', 'verbose'])).out).toContain(
      'netq config (start|stop|status|restart) agent\n    Start or stop',
    )
  })

  it('finds commands by their words', async () => {
    const { out } = await program.run(['help', 'ts', 'server'])
    expect(out).toContain('netq config ts show server')
    expect(out).not.toContain('netq [<hostname>] show agents')
    expect(await program.run(['help', 'teleport'])).toEqual({
      status: 1,
      out: '',
      err: 'netq: no command has "teleport" in it. All commands: netq help list\n',
    })
  })

  it.each([['help'], ['--help'], ['-h']])('`netq %s` says how to begin', async (word) => {
    const { status, out } = await program.run([word])
    expect(status).toBe(0)
    expect(out).toContain('netq help list')
  })
})
