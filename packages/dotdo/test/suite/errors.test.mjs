// What goes wrong, and how a program can tell.

import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { between, eq, inArray, notInArray, sql } from 'drizzle-orm'
import { check, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { RelationalStore, RelationalStoreError, SchemaEvolution, open } from 'dotdo/db/relational'
import { migrate } from 'dotdo/db/relational/migrate'
import { extras, folder, isV1, orders, pageStore, user, users } from './tables.mjs'

const error = (expected) => (e) => {
  assert.ok(e instanceof RelationalStoreError, String(e?.stack ?? e))
  assert.ok(e instanceof Error)
  const found = Object.fromEntries(Object.keys(expected).map((key) => [key, e[key]]))
  for (const [key, value] of Object.entries(expected)) {
    if (value instanceof RegExp) assert.match(e[key] ?? '', value, key)
    else assert.deepEqual(found[key], value, key)
  }
  return true
}

test('constraints are told by SQLite code, table and column', async (t) => {
  const { db, store } = pageStore(t)
  await store.insert(users).values(user('a'))
  const refused = (run, expected) => assert.rejects(async () => run(), error({ kind: 'Constraint', ...expected }))
  await refused(() => store.insert(users).values(user('b', { email: 'a@example.com' })), {
    code: 'SQLITE_CONSTRAINT_UNIQUE', table: 'users', column: 'email', constraint: 'users.email', sql: /^insert into "users"/,
  })
  await refused(() => store.insert(users).values(user('a', { email: 'x' })), { code: 'SQLITE_CONSTRAINT_PRIMARYKEY', table: 'users', column: 'id' })
  await refused(() => store.run(sql`INSERT INTO users(id, email, created_at) VALUES('c', 'c', 0)`), { code: 'SQLITE_CONSTRAINT_NOTNULL', table: 'users', column: 'name' })
  await refused(() => store.insert(orders).values({ id: 'o', userId: 'nobody', total: 1, status: 's' }), { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
  await store.run(sql`CREATE TABLE narrow(n INTEGER CONSTRAINT small CHECK(n < 10), a, b, PRIMARY KEY(a, b))`)
  await refused(() => store.run(sql`INSERT INTO narrow VALUES(10, 1, 1)`), { code: 'SQLITE_CONSTRAINT_CHECK', table: 'narrow', constraint: 'small' })
  await store.run(sql`INSERT INTO narrow VALUES(1, 1, 1)`)
  await refused(() => db.query('INSERT INTO narrow VALUES(1, 1, 1)'), { code: 'SQLITE_CONSTRAINT_PRIMARYKEY', columns: ['a', 'b'] })
  await store.run(sql`CREATE TRIGGER shut BEFORE DELETE ON narrow BEGIN SELECT raise(ABORT, 'narrow is shut'); END`)
  await refused(() => store.run(sql`DELETE FROM narrow`), { code: 'SQLITE_CONSTRAINT_TRIGGER', message: /narrow is shut/ })
})

test('statements that are wrong say where', async (t) => {
  const { store } = pageStore(t)
  const refused = (text, expected) => assert.rejects(async () => store.run(sql.raw(text)), error(expected))
  await refused('SELEC 1', { code: 'Invalid', sql: 'SELEC 1' })
  await refused('SELECT * FROM usres', { code: 'NotFound', hint: /users/ })
  await refused('SELECT nmae FROM users', { code: 'NotFound', hint: /name/ })
  await refused('SELECT 1; SELECT 2', { code: 'Invalid' })
  await refused('BEGIN', { code: 'Unsupported', hint: /transaction/ })
  await refused("ATTACH 'x' AS y", { code: 'Unsupported' })
  await assert.rejects(store.transaction(async (tx) => tx.run(sql.raw('COMMIT'))), error({ code: 'Unsupported' }))
})

test('folders that cannot be used', async (t) => {
  const dir = folder()
  for (const bad of ['', 7, undefined, null]) assert.throws(() => open(bad), error({ code: 'Invalid', hint: /open\(/ }))
  writeFileSync(join(dir, 'letter.txt'), 'dear')
  assert.throws(() => open(dir), error({ code: 'Conflict', message: /not empty/, hint: /new folder/ }))
  assert.throws(() => open(join(dir, 'letter.txt')), error({ code: 'Unavailable', message: /letter\.txt/, hint: /folder/ }))
  mkdirSync(join(dir, 'newer'))
  writeFileSync(join(dir, 'newer', 'relstore.json'), '{"format":2}')
  assert.throws(() => open(join(dir, 'newer')), error({ code: 'Unsupported' }))
  const db = open(join(dir, 'good'), { ns: 'acme' })
  t.after(() => db.close())
  assert.throws(() => open(join(dir, 'good'), { ns: 'acme' }), error({ code: 'Unavailable', message: /open/, hint: /close it there first/ }))
  const other = open(join(dir, 'good'), { ns: 'Other tenant, Ltd.' })
  await other.close()
  for (const ns of ['', '../acme']) assert.throws(() => open(join(dir, 'good'), { ns }), error({ code: 'Invalid', hint: /plain name/ }))
  assert.throws(() => open(':memory:', { durability: 'eternal' }), error({ code: 'Invalid', hint: /normal or full/ }))
  assert.throws(() => open(':memory:', { cacheKib: 'much' }), error({ code: 'Invalid' }))
})

test('a closed database says so', async () => {
  const db = open(':memory:')
  const store = new RelationalStore(db, { users })
  const prepared = store.select().from(users).prepare()
  await prepared.all()
  await db.close()
  await db.close()
  const closed = error({ code: 'Closed', hint: /open/ })
  await assert.rejects(async () => store.select().from(users), closed)
  await assert.rejects(prepared.all(), closed)
  await assert.rejects(async () => store.insert(users).values(user('a')), closed)
  await assert.rejects(store.transaction(async () => {}), closed)
  await assert.rejects(store.migrate({ version: 1, up: () => {} }), closed)
  await assert.rejects(migrate(db, { migrationsFolder: '.' }), closed)
  await assert.rejects(store.getColumns('users'), closed)
  await assert.rejects(store.getMigrationHistory(), closed)
  await assert.rejects(new SchemaEvolution(store).checkCompatibility({ users }), closed)
  assert.throws(() => store.onCDCEvent(() => {}), closed)
  assert.throws(() => new RelationalStore(db, { users }), closed)
  assert.throws(() => db.lsn, closed)
})

test('schemas that are none', async (t) => {
  const db = open(':memory:')
  t.after(() => db.close())
  const make = (schema) => () => new RelationalStore(db, schema)
  assert.throws(make({ users: { id: 1 } }), error({ code: 'Invalid', message: /users is no SQLite table/, hint: /sqliteTable/ }))
  assert.throws(make({ users: 'text' }), error({ code: 'Invalid' }))
  assert.throws(make(null), error({ code: 'Invalid' }))
  assert.throws(() => new RelationalStore({}, { users }), error({ code: 'Invalid', hint: /open/ }))
  const twin = sqliteTable('USERS', { id: integer('id') })
  assert.throws(make({ users, twin }), error({ code: 'Invalid', message: /two tables of one name: users and twin/, table: 'USERS', hint: /sqliteTable/ }))
  if (check !== undefined) {
    const broken = sqliteTable('broken', { n: integer('n') }, () => extras({ c: check('c', sql`no such thing(`) }))
    assert.throws(make({ broken }), error({ code: 'Invalid' }))
  }
})

test('migrations that cannot be done', async (t) => {
  const { db, store } = pageStore(t)
  await assert.rejects(migrate(db, { migrationsFolder: join(folder(), 'none') }), error({ code: 'NotFound', message: /none/, hint: /./ }))
  await assert.rejects(migrate(db, { migrationsFolder: folder() }), error({ kind: /Invalid|NotFound/, message: /dotdo-/, hint: /./ }))
  const notes = folder()
  writeFileSync(join(notes, 'notes.txt'), 'no SQL')
  await assert.rejects(migrate(db, { migrationsFolder: notes }), error({ kind: /Invalid|NotFound/, message: /dotdo-/, hint: /./ }))
  await assert.rejects(migrate(db, { migrationsFolder: join(notes, 'notes.txt') }), error({ message: /notes\.txt/, hint: /./ }))
  await assert.rejects(migrate(db), error({ code: 'Invalid', hint: /migrationsFolder/ }))
  await assert.rejects(migrate({}, { migrationsFolder: '.' }), error({ code: 'Invalid' }))
  for (const version of [0, -1, 1.5, '2', undefined]) await assert.rejects(store.migrate({ version, up: () => {} }), error({ code: 'Invalid' }))
  await assert.rejects(store.migrate({ version: 1 }), error({ code: 'Invalid' }))
  const own = new Error('mine')
  await assert.rejects(store.migrate({
    version: 1,
    up: async (m) => {
      await m.run(sql`CREATE TABLE gone(id)`)
      throw own
    },
  }), (e) => e === own)
  await assert.rejects(store.getColumns('gone'), error({ code: 'NotFound', hint: /users/ }))
  await assert.rejects(store.migrate({ version: 1, up: async (m) => m.run(sql`CREATE TABEL x(id)`) }), error({ code: 'Invalid', sql: /TABEL/ }))
  await assert.rejects(store.migrate({ version: 1, up: async (m) => m.transaction(async () => {}) }), error({ code: 'Unsupported' }))
  await store.migrate({ version: 3, up: async (m) => m.run(sql`CREATE TABLE kept(id)`) })
  await assert.rejects(store.migrate({ version: 2, up: () => {} }), error({ code: 'Conflict', message: /2.*3/s }))
  await assert.rejects(store.rollback(3), error({ code: 'NotFound', message: /no down/ }))
  await assert.rejects(store.rollback(9), error({ code: 'NotFound' }))
  await assert.rejects(new SchemaEvolution(db, { mode: 'SIDEWAYS' }).checkCompatibility({ users }), error({ code: 'Invalid' }))
  await assert.rejects(new SchemaEvolution(db).checkCompatibility({ type: 'ADD_COLUMN', table: 'users' }), error({ code: 'Invalid' }))
  await assert.rejects(new SchemaEvolution(db).checkCompatibility({ type: 'DROP_COLUMN', table: 'users', column: 'nmae' }), error({ code: 'NotFound', hint: /name/ }))
  assert.ok(isV1 || primaryKey !== undefined)
  assert.ok(text !== undefined)
})

test('a value that cannot be bound is told with its column', async (t) => {
  const { db, store } = pageStore(t)
  const refused = (run, message, expected) => assert.rejects(async () => run(), error({ kind: 'Invalid', message, ...expected }))
  const name = { table: 'users', column: 'name', hint: /string/ }
  await refused(() => store.insert(users).values(user('a', { name: Symbol('x') })), /^users\.name cannot be bound: a symbol \(parameter: 3\)/, name)
  await refused(() => store.insert(users).values([user('a'), user('b', { name: { first: 'B' } })]), /^users\.name .*an object \(Object\).*row: 2/, name)
  await refused(() => store.insert(users).values([user('a', { name: Symbol() }), user('b')]), /row: 1/, name)
  await refused(() => store.update(users).set({ name: () => 1 }).where(eq(users.id, 'a')), /a function/, name)
  await refused(() => store.select().from(users).where(eq(users.name, Symbol())), /^users\.name/, name)
  await refused(() => store.select().from(orders).leftJoin(users, eq(users.id, orders.userId)).where(inArray(users.name, ['a', Symbol()])), /^users\.name/, name)
  await refused(() => store.select().from(users).where(between(users.name, 'a', Symbol())), /^users\.name/, name)
  await refused(() => store.delete(orders).where(notInArray(orders.total, [1, {}])), /^orders\.total/, { table: 'orders', column: 'total' })
  const upsert = store.insert(users).values(user('a')).onConflictDoUpdate({ target: users.id, set: { name: Symbol() } })
  await refused(() => upsert, /^users\.name/, name)
  await refused(() => store.transaction((tx) => tx.insert(users).values(user('a', { name: 2n ** 64n }))), /^users\.name .*64-bit/, name)
  await refused(() => store.run(sql`INSERT INTO users(id, email, name, created_at) SELECT ${Symbol()}, 'e', 'n', 0`), /^parameter 1 /, { table: undefined })
  await refused(() => db.query('INSERT INTO users VALUES(?, ?, ?, ?)', [1, Symbol()]), /^parameter 2 /, {})
  await refused(() => db.query("SELECT '?', \"id\" -- ?\n FROM users /* ? */ WHERE [name] LIKE ?", [Symbol()]), /^users\.name/, name)
  await refused(() => db.query('SELECT ?', [new Date(NaN)]), /invalid Date/, {})
  await refused(() => db.query('SELECT ?', [1, 2]), /number of parameters/, {})
  const prepared = store.insert(users).values(user('a', { name: sql.placeholder('name') })).prepare()
  await refused(() => prepared.run({ name: Symbol() }), /^users\.name/, name)
  assert.equal((await store.select().from(users)).length, 0)
})

test('a value that its column cannot encode is told with the column', async (t) => {
  const { store } = pageStore(t)
  const refused = (run, expected) => assert.rejects(async () => run(), error({ kind: 'Invalid', ...expected }))
  const made = { table: 'users', column: 'created_at', message: /^users\.created_at takes .*date, not the string yesterday/, hint: /SQLiteTimestamp/ }
  await refused(() => store.insert(users).values([user('a'), user('b', { createdAt: 'yesterday' })]), made)
  await refused(() => store.update(users).set({ createdAt: 'yesterday' }), made)
  await refused(() => store.select().from(users).where(eq(users.createdAt, 'yesterday')), made)
  await refused(() => store.select().from(users).where(inArray(users.id, store.select({ id: users.id }).from(users).where(eq(users.createdAt, 'yesterday')))), made)
})

test('too many parameters are an error of their own', async (t) => {
  const { db, store } = pageStore(t)
  const many = (n) => Array.from({ length: n }, (_, i) => user(`u${i}`))
  await store.insert(users).values(many(8191))
  const expected = { kind: 'Invalid', message: /too many parameters/, hint: /one transaction/ }
  await assert.rejects(async () => store.insert(users).values(many(8192)), error({ ...expected, message: /given: 32768, parameters_max: 32766/, hint: /8191 rows of these 4 columns/ }))
  await assert.rejects(async () => store.insert(users).values(many(50_000)), error(expected))
  await assert.rejects(db.query('SELECT 1', Array(40_000).fill(1)), error(expected))
})
