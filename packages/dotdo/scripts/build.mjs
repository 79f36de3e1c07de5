// Compiles the TypeScript twice, for `import` and for `require`.

import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('..', import.meta.url))
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
rmSync(join(here, 'dist'), { recursive: true, force: true })
for (const kind of ['esm', 'cjs']) {
  execFileSync(process.execPath, [tsc, '-p', `tsconfig.${kind}.json`], { cwd: here, stdio: 'inherit' })
}
// The package is one of modules; a folder's own package.json says that its files are none, and hides the imports of the one above.
const cjs = join(here, 'dist', 'cjs')
writeFileSync(join(cjs, 'package.json'), `${JSON.stringify({ type: 'commonjs', imports: { '#addon': './addon.cjs' } })}\n`)
writeFileSync(join(cjs, 'addon.cjs'), "'use strict'\nmodule.exports = require('../../addon.cjs')\n")
