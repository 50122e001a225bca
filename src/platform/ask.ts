import { request } from 'node:http'

/** How long a daemon of this server may take, in milliseconds: cts-auth asks the other servers first. */
const ANSWER_MS = 5000

/**
 * Asks a daemon on its unix socket, by POST; resolves to its JSON. Rejects with a sentence if it does not answer well.
 * @param ms how long it may take
 */
export function ask<T>(socketPath: string, path: string, body: object = {}, ms = ANSWER_MS): Promise<T> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    // A connection of its own: one that was kept could end at the moment of the question, and would not show whether
    // the daemon still takes new ones.
    const options = { socketPath, path, method: 'POST', timeout: ms, headers, agent: false }
    const call = request(options, (reply) => {
      const chunks: Buffer[] = []
      reply.on('data', (chunk: Buffer) => chunks.push(chunk))
      reply.on('error', reject)
      reply.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        if (reply.statusCode !== 200) return reject(new Error(text.trim() || `status ${reply.statusCode}`))
        try {
          resolve(JSON.parse(text) as T)
        } catch {
          reject(new Error(`${socketPath} answered what is not JSON`))
        }
      })
    })
    call.on('timeout', () => call.destroy(new Error(`${socketPath} did not answer within ${ms / 1000} s`)))
    call.on('error', reject)
    call.end(JSON.stringify(body))
  })
}
