import { koffi, library } from '../../src/platform/native.ts'

/** From the kernel's headers, x86-64 and arm64: a unix datagram socket that does not wait. */
const AF_UNIX = 1
const SOCK_DGRAM_NONBLOCK = 2 | 0o4000
const EAGAIN = 11

/** What systemd has behind NOTIFY_SOCKET: Node has no unix datagram sockets of its own. */
export class NotifySocket {
  readonly path: string
  private readonly fd: number
  private readonly recv: (fd: number, buffer: Buffer, length: number, flags: number) => number
  private readonly shut: (fd: number) => number
  private readonly errno: () => number
  /** Every line so far, in order. */
  readonly lines: string[] = []

  private constructor(path: string, fd: number, c: Awaited<ReturnType<typeof library>>, errno: () => number) {
    this.path = path
    this.fd = fd
    this.recv = c.func('int recv(int fd, void *buffer, size_t length, int flags)')
    this.shut = c.func('int close(int fd)')
    this.errno = errno
  }

  static async at(path: string): Promise<NotifySocket> {
    const c = await library('libc.so.6')
    const ffi = await koffi()
    const fd = c.func('int socket(int domain, int type, int protocol)')(AF_UNIX, SOCK_DGRAM_NONBLOCK, 0)
    const address = Buffer.alloc(110)
    address.writeUInt16LE(AF_UNIX)
    address.write(path, 2)
    if (c.func('int bind(int fd, void *address, uint32_t length)')(fd, address, address.length) !== 0)
      throw new Error(`${path} cannot be bound (errno ${ffi.errno()})`)
    return new NotifySocket(path, fd, c, () => ffi.errno())
  }

  /** Takes what has come since; how many lines of this kind there are now. */
  count(line: string): number {
    const buffer = Buffer.alloc(4096)
    for (;;) {
      const length = this.recv(this.fd, buffer, buffer.length, 0)
      if (length < 0) {
        if (this.errno() !== EAGAIN)
          throw new Error(`the notifications cannot be read (errno ${this.errno()})`)
        return this.lines.filter((one) => one === line || one.startsWith(`${line}=`)).length
      }
      this.lines.push(...buffer.toString('utf8', 0, length).split('\n'))
    }
  }

  close(): void {
    this.shut(this.fd)
  }
}
