import { processIo } from '../cli/io.ts'
import { run } from '../cli/main.ts'

// Not awaited here: the bundle is CommonJS, which starts faster than a module, and has no top-level await.
run(process.argv.slice(2), process.env, processIo()).then((status) => {
  process.exitCode = status
})
