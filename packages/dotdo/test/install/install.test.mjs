// The tarballs that are published, installed by npm into empty projects.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { DOTDO, DOTDO_PLATFORM, npm, program, project, withTypes } from './npm.mjs'

const TEST = join(dirname(fileURLToPath(import.meta.url)), '..')

const ESM = `import { RelationalStore, open } from 'dotdo/db/relational'
import { migrate } from 'dotdo/db/relational/migrate'
import { sqliteTable, text } from 'drizzle-orm/sqlite-core'
`
const CJS = `const { RelationalStore, open } = require('dotdo/db/relational')
const { migrate } = require('dotdo/db/relational/migrate')
const { sqliteTable, text } = require('drizzle-orm/sqlite-core')
`
const USE = `
const users = sqliteTable('users', { id: text('id').primaryKey() })
const use = async () => {
  const db = open('./data', { ns: 'acme' })
  const store = new RelationalStore(db, { users })
  await store.insert(users).values({ id: 'a' }).onConflictDoNothing()
  console.log(JSON.stringify(await store.select().from(users)), typeof migrate)
  await db.close()
}
use()`

test('the package without its addon says which one it needs; with it, the spec page runs', () => {
  const folder = project()
  const first = npm(folder, 'install', DOTDO, 'drizzle-orm@0.45.4')
  assert.equal(first.status, 0, first.said)
  const main = join(folder, 'node_modules', 'dotdo')
  const files = readdirSync(main, { recursive: true })
  assert.deepEqual(files.filter((name) => /\.node$|^src|^test|^scripts/.test(name)), [], 'neither an addon nor sources')
  const { optionalDependencies, version, devDependencies } = JSON.parse(readFileSync(join(main, 'package.json'), 'utf8'))
  const own = /(dotdo-[a-z].*)-\d+\.\d+\.\d+.*\.tgz$/.exec(DOTDO_PLATFORM)[1]
  assert.deepEqual([optionalDependencies[own], devDependencies], [version, undefined])
  const without = program(folder, 'without.mjs', ESM)
  assert.equal(without.status, 1)
  assert.match(without.stderr, new RegExp(`no native addon for .*install ${own}`))

  const second = npm(folder, 'install', DOTDO_PLATFORM)
  assert.equal(second.status, 0, second.said)
  for (const [name, text] of [['esm.mjs', ESM], ['cjs.cjs', CJS]]) {
    const { status, said, stderr } = program(folder, name, text + USE)
    assert.deepEqual([status, said], [0, '[{"id":"a"}] function'], stderr)
  }
  withTypes(folder)
  cpSync(join(TEST, 'page'), join(folder, 'test', 'page'), { recursive: true })
  const page = spawnSync(process.execPath, ['--test', join('test', 'page', 'page.test.mjs')], { cwd: folder, encoding: 'utf8', env: { ...process.env, NODE_TEST_CONTEXT: undefined } })
  assert.equal(page.status, 0, page.stdout)
  assert.match(page.stdout, /# pass [6-9]/)
})

test('a Drizzle that is not supported is named, with the versions that are', () => {
  const folder = project()
  const refused = npm(folder, 'install', DOTDO, DOTDO_PLATFORM, 'drizzle-orm@0.29.5')
  assert.notEqual(refused.status, 0, 'npm refuses it by itself')
  assert.match(refused.said, /ERESOLVE|peer/)
  const forced = npm(folder, 'install', '--legacy-peer-deps', DOTDO, DOTDO_PLATFORM, 'drizzle-orm@0.29.5')
  assert.equal(forced.status, 0, forced.said)
  const told = `
const told = () => {
  const users = sqliteTable('users', { id: text('id').primaryKey() })
  const db = open(':memory:')
  try { new RelationalStore(db, { users }) } catch (e) { console.log([e.name, e.kind, e.context.version, e.hint].join('|')) }
  return db.close()
}
told()`
  for (const [name, text] of [['esm.mjs', ESM], ['cjs.cjs', CJS]]) {
    const { status, said, stderr } = program(folder, name, text + told)
    assert.equal(status, 0, stderr)
    assert.equal(said, 'RelationalStoreError|Unsupported|0.29.5|install drizzle-orm >=0.30.0 <1 || ^1.0.0-rc.4')
  }
})
