// Types: what is inferred is what is meant, and what is wrong does not compile, for modules and for CommonJS.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const OPTIONS = ['--noEmit', '--strict', '--noUncheckedIndexedAccess', '--target', 'ES2022', '--skipLibCheck', '--types', 'node']

function check(...options) {
  const { status, stdout } = spawnSync(process.execPath, [process.env.TSC, ...OPTIONS, ...options], { cwd: here, encoding: 'utf8' })
  assert.equal(status, 0, stdout)
}

test('in a module', () => check('--module', 'NodeNext', 'inferred.ts'))

test('in CommonJS', () => {
  // Without await at the top.
  const text = readFileSync(join(here, 'inferred.ts'), 'utf8')
  const at = text.indexOf('const row =')
  const end = text.indexOf('export {')
  writeFileSync(join(here, 'required.cts'), `${text.slice(0, at)}async function all() {\n${text.slice(at, end)}}\nexport { all }\n`)
  check('--module', 'NodeNext', 'required.cts')
})
