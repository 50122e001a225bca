import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FastifyInstance, fastify } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { logInApi } from '../../src/cluster/log-in.ts'
import { type Paths, pathsUnder } from '../../src/platform/paths.ts'

/** The group of the user nobody on Debian. */
const NOGROUP = 65_534
const PASSWORD = 'geheim "ß" $x'

let root: string
let paths: Paths
let server: FastifyInstance
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pa-'))
  paths = pathsUnder(root)
  mkdirSync(paths.pam, { recursive: true })
  const check = join(root, 'check')
  writeFileSync(check, `#!/bin/sh\nread -r password\n[ "$password" = '${PASSWORD}' ]\n`)
  chmodSync(check, 0o755)
  service(
    `auth sufficient pam_exec.so expose_authtok quiet ${check}`,
    'auth required pam_deny.so',
    'account required pam_permit.so',
  )
  server = fastify()
  logInApi(server, paths)
})
afterEach(async () => {
  await server.close()
  rmSync(root, { recursive: true, force: true })
})

const service = (...lines: string[]) => writeFileSync(join(paths.pam, 'netq'), `${lines.join('\n')}\n`)

async function logIn(body: object): Promise<{ status: number; answer: unknown }> {
  const { statusCode: status, body: text } = await server.inject({ method: 'POST', url: '/v1/log-in', body })
  return { status, answer: JSON.parse(text) }
}

describe('a log-in', () => {
  it.each([
    ['root', {}, true],
    ['nobody', {}, false],
    ['nobody', { group: NOGROUP }, true],
    ['not-a-user-of-the-system', {}, false],
  ])(
    'of %s with the right password, %j: administers %s',
    async (user, { group }: { group?: number }, administers) => {
      if (group !== undefined) writeFileSync(paths.groups, `netq:x:${group}:\n`)
      expect(await logIn({ user, password: PASSWORD })).toEqual({
        status: 200,
        answer: { ok: true, user, administers },
      })
    },
  )

  const wrong = { ok: false, why: 'the user or the password is wrong' }
  const missing = { ok: false, why: 'the user or the password is missing' }
  it.each([
    [{ user: 'root', password: 'x' }, wrong],
    [{ user: 'root', password: `${PASSWORD}x` }, wrong],
    [{ user: 'root', password: `${PASSWORD}\0` }, wrong],
    [{ user: 'root\0', password: PASSWORD }, wrong],
    [{ user: 'root', password: '' }, missing],
    [{ user: '', password: PASSWORD }, missing],
    [{ user: 'root' }, missing],
    [{ user: ['root'], password: PASSWORD }, missing],
  ])('%j is refused', async (body, answer) => {
    expect(await logIn(body)).toEqual({ status: 200, answer })
  })

  it('of an account that may not be used now is refused though the password is right', async () => {
    service('auth required pam_permit.so', 'account required pam_deny.so')
    const { answer } = await logIn({ user: 'root', password: 'any' })
    expect(answer).toMatchObject({ ok: false })
  })

  it('cannot be checked where PAM is not set up for it, and no password is in the answer', async () => {
    rmSync(join(paths.pam, 'netq'))
    const { status, answer } = await logIn({ user: 'root', password: PASSWORD })
    expect(status).toBe(500)
    expect(JSON.stringify(answer)).toContain('could not be checked: the log of cts-auth says why')
    expect(JSON.stringify(answer)).not.toContain('geheim')
  })

  it('is not one of many at once', async () => {
    const all = await Promise.all(
      Array.from({ length: 6 }, () => logIn({ user: 'root', password: PASSWORD })),
    )
    const busy = all.filter(({ answer }) => JSON.stringify(answer).includes('too many log in at once'))
    expect(busy).toHaveLength(2)
    expect(await logIn({ user: 'root', password: PASSWORD })).toMatchObject({ answer: { ok: true } })
  })
})
