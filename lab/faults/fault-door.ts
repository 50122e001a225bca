/**
 * Leads from unix sockets into the network namespace in which this runs, so that the harness outside of it can ask the
 * servers' Redis. The first argument is the list of doors as JSON: {path, host, port}. Ends with whoever started it.
 */
import { connect, createServer } from 'node:net'

const doors = JSON.parse(process.argv[2]!) as { path: string; host: string; port: number }[]
for (const { path, host, port } of doors) {
  createServer((inner) => {
    const outer = connect(port, host)
    for (const [one, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
    inner.pipe(outer).pipe(inner)
  }).listen(path, () => process.send?.(path))
}
process.on('disconnect', () => process.exit())
