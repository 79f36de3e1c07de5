// The spec page runs: every code block of it as it stands, but for the imports it leaves out, its `...`, and the one line that makes `db`.
// Each block is compiled by tsc against the package's types, and run.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { before, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const page = readFileSync(join(here, 'relational-store.md'), 'utf8')
const blocks = [...page.matchAll(/```typescript\n([\s\S]*?)```/g)].map((match) => match[1])
const [api, migrations, evolution, events] = blocks

/** The one line that makes `db`; and where the page says that it may be in memory. */
const IN_A_FOLDER = "import { open } from 'dotdo/db/relational'\nconst db = open('./data', { ns: 'acme' })\n"
const IN_MEMORY = "import { open } from 'dotdo/db/relational'\nconst db = open(':memory:')\n"

/** What stands for each `...` of the page, in order. */
function filled(block, ...values) {
  const out = block.replace(/\{ \.\.\. \}/g, () => values.shift())
  assert.equal(values.length, 0)
  return out
}

const API = filled(api, "{ id: 'order_789', userId: 'user_123', total: 250, status: 'pending' }", "{ name: 'Alice Jones' }")
const EXPORTS = '\nexport { db, orders, ordersWithUser, store, user, users }\n'

/** Each program: where its db is made, and what of the page it holds. */
const programs = {
  api: `import { eq } from 'drizzle-orm'\n${IN_A_FOLDER}${API}${EXPORTS}`,
  memory: `import { eq } from 'drizzle-orm'\n${IN_MEMORY}${API}${EXPORTS}`,
  migrations: `import { eq, sql } from 'drizzle-orm'\n${IN_A_FOLDER}${API}${migrations}${EXPORTS}`,
  evolution: `import { eq } from 'drizzle-orm'\nimport { SchemaEvolution } from 'dotdo/db/relational/migrate'\n${IN_MEMORY}${API}
const newSchema = { users: sqliteTable('users', { id: text('id').primaryKey(), email: text('email').notNull().unique() }), orders }
${evolution}${EXPORTS}export { compatible, evolution }\n`,
}

let folder

before(() => {
  // Inside the project, so that its packages are found.
  folder = mkdtempSync(join(here, '..', '..', 'page-'))
  for (const [name, text] of Object.entries(programs)) {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'page.ts'), text)
  }
  mkdirSync(join(folder, 'migrations', 'migrations'), { recursive: true })
  writeFileSync(join(folder, 'migrations', 'migrations', '0000_notes.sql'), 'CREATE TABLE notes(id text PRIMARY KEY);')
  const options = ['--module', 'NodeNext', '--target', 'ES2022', '--strict', '--noUncheckedIndexedAccess', '--skipLibCheck', '--types', 'node']
  const files = Object.keys(programs).map((name) => join(name, 'page.ts'))
  const { status, stdout } = spawnSync(process.execPath, [process.env.TSC, ...options, ...files], { cwd: folder, encoding: 'utf8' })
  assert.equal(status, 0, stdout)
})

/** Runs a program in its folder, and `check` after it, there too. */
function run(name, check) {
  writeFileSync(join(folder, name, 'check.mjs'), `import assert from 'node:assert/strict'\nconst page = await import('./page.js')\n${check}\nawait page.db.close()\n`)
  const { status, stdout, stderr } = spawnSync(process.execPath, ['check.mjs'], { cwd: join(folder, name), encoding: 'utf8' })
  assert.equal(status, 0, stdout + stderr)
  return { stdout, stderr }
}

const CHECK = `
const { createdAt, ...rest } = page.user[0]
assert.ok(createdAt instanceof Date && Date.now() - createdAt < 60_000)
assert.deepEqual(rest, { id: 'user_123', email: 'alice@example.com', name: 'Alice' })
assert.deepEqual(page.ordersWithUser, [])
assert.deepEqual(await page.store.select({ name: page.users.name }).from(page.users), [{ name: 'Alice Jones' }])
assert.deepEqual(await page.store.select().from(page.orders), [{ id: 'order_789', userId: 'user_123', total: 250, status: 'pending' }])
`

test('the page has the blocks that are run here', () => {
  assert.equal(blocks.length, 4)
})

test('API, in a folder and in memory', () => {
  run('api', CHECK)
  run('memory', CHECK)
})

test('migrations, of a folder and inline', () => {
  run('migrations', `${CHECK}
assert.deepEqual((await page.store.getColumns('users')).at(-1), { name: 'avatar_url', type: 'TEXT', logicalType: 'text', nullable: true, default: null, primaryKey: false })
assert.deepEqual((await page.store.getColumns('notes')).map((c) => c.name), ['id'])
assert.deepEqual((await page.store.getMigrationHistory()).map((m) => [m.version, m.kind]), [[0, 'folder'], [2, 'inline']])
await page.store.rollback(2)
assert.equal((await page.store.getColumns('users')).length, 4)`)
})

test('schema evolution', () => {
  const { stderr } = run('evolution', `
assert.equal(page.compatible.ok, true, 'BACKWARD: what is gone is not read')
const { SchemaEvolution } = await import('dotdo/db/relational')
const full = await new SchemaEvolution(page.db, { mode: 'FULL' }).checkCompatibility({ users: page.users })
assert.equal(full.ok, false)
assert.deepEqual(full.errors.map((e) => e.path), ['orders'])`)
  assert.equal(stderr, '')
})

test('CDC events have exactly the fields and values of the page', () => {
  const shown = [...events.matchAll(/^\{[\s\S]*?^\}/gm)].map(([text]) => Function(`return ${text.replace(', ... }', ' }')}`)())
  assert.equal(shown.length, 2)
  writeFileSync(join(folder, 'api', 'shown.json'), JSON.stringify(shown))
  run('memory', `
const { readFileSync } = await import('node:fs')
const shown = JSON.parse(readFileSync('../api/shown.json', 'utf8'))
const heard = []
page.store.onCDCEvent((event) => heard.push(event))
const { eq } = await import('drizzle-orm')
await page.store.delete(page.orders)
await page.store.delete(page.users)
await page.store.insert(page.users).values({ id: 'user_123', email: 'alice@example.com', name: 'Alice', createdAt: new Date(0) })
await page.store.update(page.users).set({ name: 'Alice Smith' }).where(eq(page.users.id, 'user_123'))
while (heard.length < 4) await new Promise((resolve) => setTimeout(resolve, 1))
const [insert, update] = heard.slice(2)
const of = (event, like) => Object.fromEntries(Object.keys(like).map((key) => [key, event[key]]))
assert.deepEqual({ ...of(insert, shown[0]), after: of(insert.after, shown[0].after) }, shown[0])
assert.deepEqual(Object.keys(insert.after), ['id', 'email', 'name', 'created_at'])
assert.deepEqual(of(update, shown[1]), shown[1])`)
})

test('it can be required too', () => {
  const program = `
const { RelationalStore, open, SchemaEvolution } = require('dotdo/db/relational')
const migrations = require('dotdo/db/relational/migrate')
const { sqliteTable, text } = require('drizzle-orm/sqlite-core')
const users = sqliteTable('users', { id: text('id').primaryKey() })
const db = open(':memory:')
const store = new RelationalStore(db, { users })
store.insert(users).values({ id: 'a' }).returning()
  .then((rows) => { if (rows[0].id !== 'a' || migrations.SchemaEvolution !== SchemaEvolution) throw new Error('no') })
  .then(() => db.close())`
  writeFileSync(join(folder, 'required.cjs'), program)
  const { status, stderr } = spawnSync(process.execPath, ['required.cjs'], { cwd: folder, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  assert.ok(pathToFileURL(folder))
})
