import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import type { Server } from 'node:net'
import { dirname } from 'node:path'
import { passedSocket } from './notify.ts'

/**
 * Listens on the unix socket of this path: on systemd's, if it passed one to this process, else on one that is made here in
 * place of what was there. Every user may connect; who may do what is for the service to decide.
 * Rejects with what the system says if it cannot.
 */
export async function listenForEveryone(server: Server, path: string): Promise<void> {
  const passed = passedSocket()
  if (passed) server.listen(passed)
  else {
    mkdirSync(dirname(path), { recursive: true })
    rmSync(path, { force: true })
    server.listen({ path, readableAll: true, writableAll: true })
  }
  await once(server, 'listening')
}
