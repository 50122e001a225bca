import type { Socket } from 'node:net'

/**
 * The calls of the C library, of systemd and of PAM that Node does not have. koffi, which makes them, is loaded at the first
 * of them: 17-47 ms and 2 MB of memory of its own (measured), which `netq` and an agent without systemd never pay.
 */
type Koffi = typeof import('koffi').default
type Library = ReturnType<Koffi['load']>

let loaded: Promise<Koffi> | undefined
const libraries = new Map<string, Library>()

export function koffi(): Promise<Koffi> {
  loaded ??= import('koffi').then((module) => module.default)
  return loaded
}

/** A shared library, loaded once. Rejects where there is none of this name. */
export async function library(name: string): Promise<Library> {
  const found = libraries.get(name) ?? (await koffi()).load(name)
  libraries.set(name, found)
  return found
}

const libc = () => library('libc.so.6')

/** Who is at the other end of a unix socket, as the kernel saw it when the connection was made. */
export interface Peer {
  readonly pid: number
  readonly uid: number
  readonly gid: number
  /** The supplementary groups that the process had, by number. */
  readonly groups: readonly number[]
}

/** From asm-generic/socket.h, which x86-64 and arm64 share. */
const SOL_SOCKET = 1
const SO_PEERCRED = 17
const SO_PEERGROUPS = 59
/** The kernel's most groups of one process (NGROUPS_MAX). */
const MOST_GROUPS = 65_536

/**
 * The kernel's word, not the user database's: a question to a directory service that hangs would hold up the caller. So
 * whoever was just put into a group has to log in anew, as with the files of a group.
 * Rejects if the socket is no unix socket, or is closed already.
 */
export async function peerOf(socket: Socket): Promise<Peer> {
  const fd = (socket as unknown as { _handle: { fd: number } | null })._handle?.fd ?? -1
  const [pid = 0, uid = 0, gid = 0] = new Int32Array((await socketOption(fd, SO_PEERCRED, 12)).buffer)
  // The kernel gives no pid for a connection that has none, such as a TCP connection.
  if (pid === 0) throw new Error('who is at the other end is not known')
  const groups = new Uint32Array((await socketOption(fd, SO_PEERGROUPS, 4 * MOST_GROUPS)).buffer)
  return { pid, uid: uid >>> 0, gid: gid >>> 0, groups: [...groups] }
}

/** The value of an option of a socket. Rejects with a sentence if the kernel refuses. */
async function socketOption(fd: number, option: number, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const getsockopt = (await libc()).func(
    'int getsockopt(int fd, int level, int option, void *value, void *length)',
  )
  const value = new Uint8Array(size)
  const length = new Uint32Array([size])
  if (getsockopt(fd, SOL_SOCKET, option, value, length) !== 0) {
    throw new Error(`the kernel does not say who is at the other end (errno ${(await koffi()).errno()})`)
  }
  return value.slice(0, length[0])
}

/** A user as the system's user databases have it. */
export interface Account {
  readonly uid: number
  /** The primary group and the others, by number. */
  readonly groups: readonly number[]
}

/**
 * Looks a user up, wherever the system has its users. It blocks for as long as that takes: for helper processes only.
 * @returns undefined if there is no such user
 */
export async function accountOf(user: string): Promise<Account | undefined> {
  const c = await libc()
  const ffi = await koffi()
  const entry = c.func('void *getpwnam(const char *name)')(user)
  if (entry === null) return undefined
  // struct passwd begins with two pointers (name, password), then uid and gid; the same on all 64-bit Linux.
  const uid = ffi.decode(entry, 16, 'uint32_t') as number
  const gid = ffi.decode(entry, 20, 'uint32_t') as number
  const getgrouplist = c.func('int getgrouplist(const char *user, uint32_t group, void *groups, void *count)')
  const groups = new Uint32Array(MOST_GROUPS)
  const count = new Int32Array([groups.length])
  if (getgrouplist(user, gid, groups, count) < 0) throw new Error(`${user} is in too many groups`)
  return { uid, groups: [...groups.subarray(0, count[0])] }
}

/** The function that tells systemd how this service is: see notify.ts. */
export async function systemdNotify(): Promise<(state: string) => void> {
  const notify = (await library('libsystemd.so.0')).func('int sd_notify(int unset, const char *state)')
  return (state) => {
    notify(0, state)
  }
}
