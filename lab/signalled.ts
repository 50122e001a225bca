/** Resolves at the first signal to stop; until then the process stays. */
export function signalled(): Promise<void> {
  const stay = setInterval(() => {}, 60_000)
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        clearInterval(stay)
        resolve()
      })
    }
  })
}
