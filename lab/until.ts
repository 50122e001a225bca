/** How much longer than that one look may take, in milliseconds. */
const LOOK_MS = 10_000

/** Polls until `ready` is true, and fails with `what` and the last error after `ms` milliseconds; so does a look that never ends. */
export async function until(
  what: string,
  ms: number,
  ready: () => Promise<boolean> | boolean,
): Promise<void> {
  const end = performance.now() + ms
  let last: unknown
  for (;;) {
    try {
      if (await within(end - performance.now() + LOOK_MS, ready)) return
      last = undefined
    } catch (error) {
      last = error
    }
    if (performance.now() > end)
      throw new Error(`${what}: not within ${ms} ms${last ? ` (${String(last)})` : ''}`)
    await new Promise((resolve) => setTimeout(resolve, 40))
  }
}

async function within(ms: number, ready: () => Promise<boolean> | boolean): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the last look has not ended')), ms)
  })
  try {
    return await Promise.race([ready(), late])
  } finally {
    clearTimeout(timer)
  }
}
