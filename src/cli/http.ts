import { connect, type Socket } from 'node:net'
import { sentenceOf } from '../platform/log.ts'

/** An answer of a daemon as it comes in. */
export interface Answer {
  readonly status: number
  readonly type: string
  /** What the operator should know besides. */
  readonly note?: string
  /** Whether the answer itself tells where it ends; else only its last line can. */
  readonly delimited: boolean
  /** Throws BrokenOff if the answer ends before its end. */
  readonly body: AsyncIterable<Buffer>
}

/** No answer at all; the message completes `ts01: ...`. */
export class NoAnswer extends Error {}

/** The answer began, and did not end. */
export class BrokenOff extends Error {}

/** How long a daemon may work on an answer, in milliseconds: 100,000 routes take netqd 5 s on a busy machine. */
const AT_WORK_MS = 60_000

/**
 * POSTs JSON to a daemon's unix socket. The few lines of HTTP that this takes are written here because loading
 * node:http would double the start-up time of the command.
 * @param firstByteMs how long the daemon may take to begin its answer, or to say that it is at work on it, in milliseconds
 * @throws NoAnswer before the answer has begun
 */
export async function post(
  socketPath: string,
  path: string,
  json: unknown,
  firstByteMs: number,
): Promise<Answer> {
  const body = Buffer.from(JSON.stringify(json))
  const socket = connect(socketPath)
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: localhost',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ]
  const late = (ms: number) =>
    setTimeout(() => socket.destroy(new NoAnswer(`no answer within ${ms / 1000} s`)), ms)
  let timer = late(firstByteMs)
  socket.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]))
  const source = new Source(socket)
  try {
    let first = await source.until('\r\n\r\n')
    if (/^HTTP\/1\.1 102 /.test(first)) {
      clearTimeout(timer)
      timer = late(AT_WORK_MS)
      first = await source.until('\r\n\r\n')
    }
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? Number.NaN)
    if (Number.isNaN(status)) throw new NoAnswer('what it answered is not HTTP')
    const field = (name: string) => new RegExp(`^${name}: *(.*?) *$`, 'im').exec(first)?.[1]
    const digits = field('content-length')
    const length = digits === undefined ? undefined : Number(digits)
    const note = field('x-netq-note')
    const chunked = /chunked/i.test(field('transfer-encoding') ?? '')
    return {
      status,
      type: field('content-type') ?? '',
      ...(note === undefined ? {} : { note: decodeURIComponent(note) }),
      delimited: chunked || length !== undefined,
      body: whole(socket, chunked ? source.chunks() : source.bytes(length)),
    }
  } catch (error) {
    socket.destroy()
    throw error instanceof NoAnswer ? error : new NoAnswer(reasonOf(error, socketPath))
  } finally {
    clearTimeout(timer)
  }
}

function reasonOf(error: unknown, socketPath: string): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return `not running: there is no ${socketPath}`
  if (code === 'ECONNREFUSED') return `not running: nobody listens on ${socketPath}`
  if (code === 'EACCES' || code === 'EPERM') return `permission denied on ${socketPath}: try it with sudo`
  if (code === 'EAGAIN') return `too busy to take another question on ${socketPath}`
  if (code === 'ECONNRESET' || code === 'EPIPE' || error instanceof BrokenOff)
    return 'it hung up without an answer'
  return message
}

/** The same parts, after which the connection is closed; whatever ends them early is a BrokenOff. */
async function* whole(socket: Socket, parts: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* parts
  } catch (error) {
    throw error instanceof BrokenOff ? error : new BrokenOff(`the answer broke off (${sentenceOf(error)})`)
  } finally {
    socket.destroy()
  }
}

/** The bytes of a connection, in the portions in which they are asked for. */
class Source {
  private readonly socket: Socket
  private rest: Buffer = Buffer.alloc(0)
  private failure: Error | undefined
  private ended = false
  private wake: () => void = () => {}

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('readable', () => this.wake())
    socket.on('end', () => this.end())
    socket.on('error', (error) => this.end(error))
    socket.on('close', () => this.end())
  }

  /** The text before a mark, which is left out. */
  async until(mark: string): Promise<string> {
    for (;;) {
      const end = this.rest.indexOf(mark)
      if (end >= 0) {
        const text = this.rest.toString('latin1', 0, end)
        this.rest = this.rest.subarray(end + mark.length)
        return text
      }
      if (!(await this.more())) throw new BrokenOff('the answer broke off')
    }
  }

  /** This many bytes as they come; undefined: all until the end of the connection. */
  async *bytes(length: number | undefined): AsyncGenerator<Buffer> {
    let left = length ?? Number.POSITIVE_INFINITY
    while (left > 0) {
      if (this.rest.length === 0 && !(await this.more())) {
        if (length === undefined) return
        throw new BrokenOff('the answer broke off')
      }
      const part = this.rest.subarray(0, left)
      this.rest = this.rest.subarray(part.length)
      left -= part.length
      yield part
    }
  }

  /** The content of a chunked body. */
  async *chunks(): AsyncGenerator<Buffer> {
    for (;;) {
      const size = Number.parseInt(await this.until('\r\n'), 16)
      if (Number.isNaN(size)) throw new BrokenOff('the answer is garbled')
      if (size === 0) return
      yield* this.bytes(size)
      await this.until('\r\n')
    }
  }

  /** Whether there was more. The socket's own iterator would do, but it costs a tenth of the start-up time. */
  private async more(): Promise<boolean> {
    for (;;) {
      const next = this.socket.read() as Buffer | null
      if (next) {
        this.rest = this.rest.length === 0 ? next : Buffer.concat([this.rest, next])
        return true
      }
      if (this.failure) throw this.failure
      if (this.ended) return false
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }

  private end(failure?: Error): void {
    this.failure ??= failure
    this.ended = true
    this.wake()
  }
}
