// Which versions of Drizzle are taken, and of which a program is warned.

import assert from 'node:assert/strict'
import { dirname, join } from 'node:path'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

// The package's own: nothing that it exports.
const root = dirname(createRequire(import.meta.url).resolve('dotdo/package.json'))
const { checkVersion, isSupported, isUnsafe } = await import(pathToFileURL(join(root, 'dist/esm/drizzle/version.js')))

const versions = [
  // version, supported, names not escaped
  ['0.28.6', false, true],
  ['0.29.5', false, true],
  ['0.30.0', true, true],
  ['0.30.10', true, true],
  ['0.36.4', true, true],
  ['0.44.7', true, true],
  ['0.45.0', true, true],
  ['0.45.1', true, true],
  ['0.45.2', true, false],
  ['0.45.4', true, false],
  ['0.46.0', true, false],
  ['0.100.0', true, false],
  ['1.0.0-alpha.1', false, false],
  ['1.0.0-beta.1', false, false],
  ['1.0.0-beta.22', false, false],
  ['1.0.0-beta.9-42ad8bb', false, false],
  ['1.0.0-rc.1', false, false],
  ['1.0.0-rc.3', false, false],
  ['1.0.0-rc.3-fe92e22', false, false],
  ['1.0.0-rc.4', true, false],
  ['1.0.0-rc.4-273829f', true, false],
  ['1.0.0-rc.5', true, false],
  ['1.0.0-rc.12', true, false],
  ['1.0.0', true, false],
  ['1.0.1', true, false],
  ['1.4.0', true, false],
  ['2.0.0', false, false],
  ['2.0.0-rc.9', false, false],
  ['10.0.0', false, false],
  ['', false, false],
  ['latest', false, false],
]

test('versions are taken or refused', () => {
  assert.deepEqual(versions.map(([version]) => [version, isSupported(version)]), versions.map(([version, supported]) => [version, supported]))
})

test('versions that do not escape names are known', () => {
  const known = versions.filter(([, supported]) => supported)
  assert.deepEqual(known.map(([version]) => [version, isUnsafe(version)]), known.map(([version, , unsafe]) => [version, unsafe]))
})

test('what is refused is an error with the version and the range, and what is unsafe a warning, once', async () => {
  for (const version of ['0.29.5', '1.0.0-beta.22', '2.0.0']) {
    assert.throws(() => checkVersion(version), { kind: 'Unsupported', message: new RegExp(`version: ${version.replaceAll('.', '\\.')}`), hint: /0\.30\.0 <1 \|\| \^1\.0\.0-rc\.4/ })
  }
  const warnings = []
  const listen = (warning) => warnings.push(warning)
  process.on('warning', listen)
  for (let i = 0; i < 3; i++) checkVersion('0.44.0')
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listen)
  assert.deepEqual(warnings.map(({ code }) => code), ['DOTDO_DRIZZLE_UNSAFE'])
  assert.match(warnings[0].message, /CVE-2026-39356.*0\.45\.2/)
})
