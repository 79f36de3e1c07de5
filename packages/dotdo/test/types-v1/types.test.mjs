// Types: what is inferred is what is meant, and what is wrong does not compile, under Drizzle 1.0.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const OPTIONS = ['--noEmit', '--strict', '--noUncheckedIndexedAccess', '--target', 'ES2022', '--skipLibCheck', '--types', 'node']

function check(...options) {
  const { status, stdout } = spawnSync(process.execPath, [process.env.TSC, ...OPTIONS, ...options], { cwd: here, encoding: 'utf8' })
  assert.equal(status, 0, stdout)
}

test('in a module', () => check('--module', 'NodeNext', 'inferred.ts'))
