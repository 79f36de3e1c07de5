// Migrations: folders of every layout, the program's own, up and down.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { sql } from 'drizzle-orm'
import { RelationalStore, SchemaEvolution, open } from 'dotdo/db/relational'
import { SchemaEvolution as Same, migrate } from 'dotdo/db/relational/migrate'
import { folder, pageStore, user, users } from './tables.mjs'

const FIRST = 'CREATE TABLE notes (id text PRIMARY KEY, body text);\n--> statement-breakpoint\nCREATE INDEX notes_body ON notes(body);'
const SECOND = 'ALTER TABLE notes ADD COLUMN stars integer DEFAULT 3;'

/** A folder as drizzle-kit up to 0.45 lays it out. */
function journaled(files) {
  const path = folder()
  mkdirSync(join(path, 'meta'))
  const entries = Object.keys(files).map((tag, idx) => ({ idx, version: '6', when: 1700000000000 + idx, tag, breakpoints: true }))
  writeFileSync(join(path, 'meta', '_journal.json'), JSON.stringify({ version: '7', dialect: 'sqlite', entries }))
  for (const [tag, text] of Object.entries(files)) writeFileSync(join(path, `${tag}.sql`), text)
  return path
}

/** A folder as drizzle-kit 1.0 lays it out. */
function foldered(files) {
  const path = folder()
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(path, name))
    writeFileSync(join(path, name, 'migration.sql'), text)
  }
  return path
}

test('a folder is applied once and in order, whatever its layout', async (t) => {
  const layouts = [
    () => journaled({ '0000_notes': FIRST, '0001_stars': SECOND }),
    () => foldered({ '20240101000000_notes': FIRST, '20240102000000_stars': SECOND }),
  ]
  for (const layout of layouts) {
    const { db, store } = pageStore(t)
    const migrationsFolder = layout()
    const applied = await migrate(db, { migrationsFolder })
    assert.deepEqual(applied.map((m) => m.name.replace(/^\d+_/, '')), ['notes', 'stars'])
    assert.deepEqual(await migrate(store, { migrationsFolder }), [])
    assert.deepEqual((await store.getColumns('notes')).map((c) => [c.name, c.default]), [['id', null], ['body', null], ['stars', '3']])
    const history = await store.getMigrationHistory()
    assert.deepEqual(history.map((m) => [m.name.replace(/^\d+_/, ''), m.kind]), [['notes', 'folder'], ['stars', 'folder']])
    assert.ok(history.every((m) => m.appliedAt instanceof Date && Math.abs(m.appliedAt - Date.now()) < 60_000))
  }
})

test("what Drizzle's own migrator had applied is not applied again", async (t) => {
  const { db, store } = pageStore(t)
  await store.run(sql.raw('CREATE TABLE notes (id text PRIMARY KEY, body text)'))
  await store.run(sql.raw('CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)'))
  const hash = createHash('sha256').update(FIRST).digest('hex')
  await store.run(sql`INSERT INTO __drizzle_migrations(hash, created_at) VALUES(${hash}, ${1700000000000})`)
  const applied = await migrate(db, { migrationsFolder: journaled({ '0000_notes': FIRST, '0001_stars': SECOND }) })
  assert.deepEqual(applied.map((m) => m.name), ['0001_stars'])
})

test('a rebuild of a parent does not delete its children', async (t) => {
  const { db, store } = pageStore(t)
  await store.run(sql.raw('CREATE TABLE parent (id text PRIMARY KEY, n integer)'))
  await store.run(sql.raw('CREATE TABLE child (id text PRIMARY KEY, parent text REFERENCES parent(id) ON DELETE CASCADE)'))
  await store.run(sql.raw("INSERT INTO parent VALUES('p', 1)"))
  await store.run(sql.raw("INSERT INTO child VALUES('c', 'p')"))
  const REBUILD = `PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE \`__new_parent\` (\`id\` text PRIMARY KEY NOT NULL, \`n\` integer NOT NULL);--> statement-breakpoint
INSERT INTO \`__new_parent\`("id", "n") SELECT "id", "n" FROM \`parent\`;--> statement-breakpoint
DROP TABLE \`parent\`;--> statement-breakpoint
ALTER TABLE \`__new_parent\` RENAME TO \`parent\`;--> statement-breakpoint
PRAGMA foreign_keys=ON;`
  const events = []
  store.onCDCEvent((event) => events.push(event))
  await migrate(db, { migrationsFolder: journaled({ '0000_rebuild': REBUILD }) })
  assert.deepEqual(await store.execute('SELECT * FROM child'), [{ id: 'c', parent: 'p' }])
  assert.deepEqual(await store.execute('SELECT * FROM parent'), [{ id: 'p', n: 1 }])
  await db.close()
  assert.deepEqual(events.map((e) => e.type).filter((type) => type === 'cdc.delete'), [])
})

test('what would be lost is refused unless it is allowed; a failing file leaves nothing', async (t) => {
  const { db, store } = pageStore(t)
  await store.insert(users).values(user('a'))
  const lossy = journaled({ '0000_drop': 'ALTER TABLE users DROP COLUMN name;' })
  await assert.rejects(migrate(db, { migrationsFolder: lossy }), { code: 'Invalid', message: /users/ })
  assert.equal((await store.getColumns('users')).length, 4)
  await migrate(db, { migrationsFolder: lossy, allowDestructive: true })
  assert.equal((await store.getColumns('users')).length, 3)
  const broken = journaled({ '0000_drop': 'ALTER TABLE users DROP COLUMN name;', '0001_broken': 'CREATE TABLE fine(id);\n--> statement-breakpoint\nCREATE TABEL x(id);' })
  await assert.rejects(migrate(db, { migrationsFolder: broken }), (e) => e.message.includes('0001_broken'))
  await assert.rejects(store.getColumns('fine'), { code: 'NotFound' })
})

test('inline migrations go up and down, each wholly or not at all', async (t) => {
  const { store } = pageStore(t)
  await store.insert(users).values(user('a'))
  const avatar = {
    version: 2,
    up: async (db) => {
      await db.run(sql`ALTER TABLE users ADD COLUMN avatar_url TEXT`)
      await db.run(sql`UPDATE users SET avatar_url='none'`)
      assert.deepEqual(await db.all(sql`SELECT avatar_url FROM users`), [{ avatar_url: 'none' }])
      assert.equal((await db.select({ id: users.id }).from(users)).length, 1)
    },
    down: async (db) => {
      await db.run(sql`ALTER TABLE users DROP COLUMN avatar_url`)
    },
  }
  await store.migrate(avatar)
  assert.equal((await store.getColumns('users')).at(-1).name, 'avatar_url')
  await store.migrate(avatar)
  assert.deepEqual((await store.getMigrationHistory()).map((m) => [m.version, m.kind]), [[2, 'inline']])
  await store.rollback(2)
  assert.equal((await store.getColumns('users')).length, 4)
  assert.deepEqual(await store.getMigrationHistory(), [])
  await assert.rejects(store.migrate({ ...avatar, up: async (db) => {
    await avatar.up(db)
    await db.run(sql`INSERT INTO users(id) VALUES('incomplete')`)
  } }), { code: 'SQLITE_CONSTRAINT_NOTNULL' })
  assert.equal((await store.getColumns('users')).length, 4)
  const [before, during] = [store.update(users).set({ name: 'before' }), store.migrate(avatar)]
  const after = store.update(users).set({ name: 'after' })
  await Promise.all([before, during, after])
  assert.equal((await store.select().from(users))[0].name, 'after')
})

test('evolution judges a schema of Drizzle and single changes, by mode', async (t) => {
  const { integer, sqliteTable, text } = await import('drizzle-orm/sqlite-core')
  const db = open(':memory:')
  t.after(() => db.close())
  new RelationalStore(db, { users })
  assert.equal(Same, SchemaEvolution)
  const columns = { id: text('id').primaryKey(), email: text('email').notNull().unique(), name: text('name').notNull(), createdAt: integer('created_at', { mode: 'timestamp' }).notNull() }
  const as = (more, without) => {
    const all = { ...columns, ...more }
    delete all[without]
    return { users: sqliteTable('users', all) }
  }
  const judge = async (mode, proposed) => {
    const report = await new SchemaEvolution(db, { mode }).checkCompatibility(proposed)
    assert.equal(report.ok, report.errors === undefined)
    return report.ok ? 'ok' : report.errors.map((e) => `${e.code} ${e.path}`).join()
  }
  for (const mode of ['BACKWARD', 'FORWARD', 'FULL', 'NONE']) assert.equal(await judge(mode, as()), 'ok')
  for (const mode of ['BACKWARD', 'FULL']) assert.equal(await judge(mode, as({ nick: text('nick') })), 'ok', mode)
  assert.match(await judge('BACKWARD', as({ nick: text('nick').notNull() })), /users\.nick/)
  assert.match(await judge('FORWARD', as({}, 'name')), /users\.name/)
  assert.match(await judge('BACKWARD', as({ createdAt: text('created_at').notNull() })), /users\.created_at/)
  assert.equal(await judge('BACKWARD', { type: 'ADD_COLUMN', table: 'users', column: { name: 'nick', type: 'TEXT', nullable: true } }), 'ok')
  assert.match(await judge('BACKWARD', { type: 'ADD_COLUMN', table: 'users', column: { name: 'nick', type: 'TEXT', nullable: false } }), /users\.nick/)
  assert.match(await judge('FULL', { type: 'DROP_COLUMN', table: 'users', column: 'name' }), /users\.name/)
  assert.match(await judge('FULL', { type: 'RENAME_COLUMN', table: 'users', from: 'name', to: 'title' }), /users\.(name|title)/)
  assert.match(await judge('FULL', { type: 'MODIFY_COLUMN', table: 'users', column: 'name', changes: { type: 'INTEGER' } }), /users\.name/)
})
