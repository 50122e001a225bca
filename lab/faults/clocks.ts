import { globSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Clocks that can be set for one server: its processes are started with Debian's libfaketime in front of the C library, which
 * adds what a file says to the time of day (the monotonic clock stays, as it does when a real clock is set). Redis needs
 * glibc's own malloc in front of that: libfaketime asks for memory before it is ready, for which jemalloc asks for the
 * time, and the two wait for each other for ever (measured: 0.9.10 with Redis 7.0.15).
 */
export class Clocks {
  private readonly folder: string
  private readonly libraries: readonly string[]

  private constructor(folder: string, libraries: readonly string[]) {
    this.folder = folder
    this.libraries = libraries
  }

  /** @param folder where the files go that the processes read; undefined if this system has no libfaketime */
  static in(folder: string): Clocks | undefined {
    const [malloc] = globSync('/{usr/,}lib/*/libc_malloc_debug.so.0')
    const [faketime] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')
    if (malloc === undefined || faketime === undefined) return undefined
    return new Clocks(folder, [malloc, faketime])
  }

  /** What the processes of this server have to have in their environment. */
  environment(address: string): NodeJS.ProcessEnv {
    this.set(address, 0)
    return {
      LD_PRELOAD: this.libraries.join(' '),
      FAKETIME_TIMESTAMP_FILE: this.fileOf(address),
      // Looks at the file every second, not for every time that is asked for.
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    }
  }

  /** From the next second on, this server's clock is so many seconds ahead (or behind, below 0). */
  set(address: string, seconds: number): void {
    writeFileSync(this.fileOf(address), `${seconds < 0 ? '' : '+'}${seconds}\n`)
  }

  private fileOf(address: string): string {
    return join(this.folder, `clock-${address}`)
  }
}
