import { rmSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ASK_AGAIN, EXIT_MARK } from '../../src/api/types.ts'
import { pathsUnder } from '../../src/platform/paths.ts'
import { Daemon } from './daemon.ts'
import { Program } from './program.ts'

let program: Program
beforeAll(async () => {
  program = await Program.make()
})
afterAll(() => program.remove())

it('a cts-auth that starts anew with what it was told is asked again when it is back, and nobody has to know', async () => {
  const socket = pathsUnder(program.root).ctsAuthSocket
  let next: Daemon | undefined
  const first: Daemon = await Daemon.listen(socket, (_asked, response) => {
    response.writeHead(ASK_AGAIN, { 'content-type': 'text/plain' }).end('cts-auth starts anew\n')
    response.once('close', async () => {
      await first.close()
      rmSync(socket, { force: true })
      next = await Daemon.listen(socket, (_again, reply) => {
        reply.setHeader('content-type', 'text/plain').end(`1 of 3 servers are configured.\n${EXIT_MARK}0\n`)
      })
    })
  })
  const words = 'config ts add server 10.0.0.5 10.0.0.6 10.0.0.7'.split(' ')
  expect(await program.run(words)).toEqual({ status: 0, out: '1 of 3 servers are configured.\n', err: '' })
  expect(next!.asked).toEqual(first.asked)
  await next!.close()
})
