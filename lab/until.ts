/** Polls until `ready` is true, and fails with `what` and the last error after `ms` milliseconds. */
export async function until(
  what: string,
  ms: number,
  ready: () => Promise<boolean> | boolean,
): Promise<void> {
  const end = Date.now() + ms
  let last: unknown
  for (;;) {
    try {
      if (await ready()) return
      last = undefined
    } catch (error) {
      last = error
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms${last ? ` (${String(last)})` : ''}`)
    await new Promise((resolve) => setTimeout(resolve, 40))
  }
}
