// Tables from Drizzle's schema: all that it says of them is in the store, and what differs is told.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eq, sql } from 'drizzle-orm'
import { check, foreignKey, index, integer, primaryKey, real, sqliteTable, text, unique, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { RelationalStore, open } from 'dotdo/db/relational'
import { npmVersion } from 'drizzle-orm/version'
import { extras, folder, users } from './tables.mjs'

/** Older ones do not escape names. */
const odd = npmVersion.startsWith('0.30') ? 'the children' : 'the "children"'

function database(t, dir = ':memory:') {
  const db = open(dir)
  t.after(() => db.close())
  return db
}

test('defaults, keys, checks, indexes, references and generated columns are made', async (t) => {
  const db = database(t)
  const parents = sqliteTable('parents', { a: integer('a'), b: text('b').default("it's"), n: real('n').default(0.5) }, (p) =>
    extras({ key: primaryKey({ columns: [p.a, p.b] }) }),
  )
  const children = sqliteTable(
    odd,
    {
      id: integer('id').primaryKey({ autoIncrement: true }),
      pa: integer('pa'),
      pb: text('pb'),
      code: text('code').notNull().unique(),
      age: integer('age').notNull().default(18),
      made: integer('made', { mode: 'timestamp' }).notNull().default(sql`(unixepoch())`),
      twice: integer('twice').generatedAlwaysAs?.(sql`age * 2`, { mode: 'stored' }) ?? integer('twice'),
    },
    (c) => extras({
      parent: foreignKey({ columns: [c.pa, c.pb], foreignColumns: [parents.a, parents.b] }).onDelete('cascade').onUpdate('set null'),
      pair: unique('pair').on(c.pa, c.age),
      byAge: index('by_age').on(c.age),
      grown: uniqueIndex('grown').on(c.code, c.age).where(sql`${c.age} > 17`),
      ...(check === undefined ? {} : { adult: check('adult', sql`${c.age} < ${200}`) }),
    }),
  )
  const store = new RelationalStore(db, { children, parents })
  assert.deepEqual(await store.insert(parents).values({ a: 1 }).returning(), [{ a: 1, b: "it's", n: 0.5 }])
  const [child] = await store.insert(children).values({ pa: 1, pb: "it's", code: 'x' }).returning()
  assert.equal(child.age, 18)
  assert.ok(Math.abs(child.made.getTime() - Date.now()) < 60_000)
  if (children.twice.generated !== undefined) assert.equal(child.twice, 36)
  await assert.rejects(async () => store.insert(children).values({ pa: 1, pb: 'no', code: 'y', age: 3 }), { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
  await assert.rejects(async () => store.insert(children).values({ pa: 1, code: 'z' }), { code: 'SQLITE_CONSTRAINT_UNIQUE', columns: ['pa', 'age'] })
  await assert.rejects(async () => store.insert(children).values({ code: 'x', age: 1 }), { code: 'SQLITE_CONSTRAINT_UNIQUE', column: 'code' })
  if (check !== undefined) await assert.rejects(async () => store.insert(children).values({ code: 'old', age: 300 }), { code: 'SQLITE_CONSTRAINT_CHECK', constraint: 'adult' })
  await store.delete(parents)
  assert.deepEqual(await store.select().from(children), [], 'it cascades')
  assert.equal((await store.insert(children).values({ code: 'next' })).lastInsertRowid, 2, 'ids are not used again')
  assert.deepEqual(await store.getReferences(children), [
    { column: 'pa', references: { table: 'parents', column: 'a' } },
    { column: 'pb', references: { table: 'parents', column: 'b' } },
  ])
  const { primaryKey: key, unique: keys } = await store.getConstraints(children)
  assert.deepEqual(key, ['id'])
  assert.deepEqual(keys.map((k) => k.join()).sort(), ['code', 'pa,age'])
  const indexes = await db.query("SELECT name FROM sqlite_schema WHERE type='index' AND sql IS NOT NULL AND name NOT LIKE '\\_rs%' ESCAPE '\\' ORDER BY 1")
  assert.deepEqual(indexes, [{ name: 'by_age' }, { name: 'grown' }])
  // Asked again, everything is as it should be.
  const again = new RelationalStore(db, { children, parents })
  assert.equal((await again.select().from(children).where(eq(children.code, 'next'))).length, 1)
})

test('a schema is found again, and may have fewer columns than the store', async (t) => {
  const dir = folder()
  const first = open(dir, { ns: 'acme' })
  const store = new RelationalStore(first, { users })
  await store.insert(users).values({ id: 'a', email: 'a', name: 'A', createdAt: new Date(0) })
  await store.run(sql`ALTER TABLE users ADD COLUMN extra TEXT`)
  await first.close()
  const db = open(dir, { ns: 'acme' })
  t.after(() => db.close())
  assert.deepEqual(await new RelationalStore(db, { users }).select().from(users), [{ id: 'a', email: 'a', name: 'A', createdAt: new Date(0) }])
  assert.equal((await new RelationalStore(db, { users }).getColumns('USERS')).length, 5)
})

test('tables as drizzle-kit makes them are the same tables', async (t) => {
  const db = database(t)
  await db.query('CREATE TABLE `users` (`id` text PRIMARY KEY NOT NULL, `email` text NOT NULL, `name` text NOT NULL, `created_at` integer NOT NULL)')
  await db.query('CREATE UNIQUE INDEX `users_email_unique` ON `users` (`email`)')
  const store = new RelationalStore(db, { users })
  assert.deepEqual(await store.select().from(users), [])
})

test('tables that differ are named, with the ways out, and nothing is made', async (t) => {
  const db = database(t)
  await db.query('CREATE TABLE users(id TEXT, email INTEGER NOT NULL, created_at timestamp, need TEXT NOT NULL)')
  const other = sqliteTable('other', { id: integer('id') })
  assert.throws(
    () => new RelationalStore(db, { other, users }),
    (e) => {
      assert.equal(e.code, 'Incompatible')
      for (const said of ['users.email is INTEGER, not text', 'users.name is missing', 'users.created_at takes NULL', 'users.need needs a value', 'primary key', 'users(email) is not unique']) {
        assert.ok(e.message.includes(said), `${said}: ${e.message}`)
      }
      assert.match(e.hint, /migrate/)
      return true
    },
  )
  assert.deepEqual(await db.query("SELECT name FROM sqlite_schema WHERE name='other'"), [])
})

test('names follow the casing that the program asks for', async (t) => {
  const db = database(t)
  const camel = sqliteTable('camel', { id: integer('id').primaryKey(), firstName: text(), madeAt: integer({ mode: 'timestamp' }) })
  if (camel.firstName.name === undefined) return // This Drizzle has no columns without names.
  const store = new RelationalStore(db, { camel }, { casing: 'snake_case' })
  await store.insert(camel).values({ firstName: 'Ann', madeAt: new Date(0) })
  assert.deepEqual(await store.select().from(camel), [{ id: 1, firstName: 'Ann', madeAt: new Date(0) }])
  const isOlder = store.dialect.casing !== undefined
  assert.deepEqual((await store.getColumns('camel')).map((c) => c.name), isOlder ? ['id', 'first_name', 'made_at'] : ['id', 'firstName', 'madeAt'])
})

test('a logger hears of each statement', async (t) => {
  const db = database(t)
  const heard = []
  const store = new RelationalStore(db, { users }, { logger: { logQuery: (text, params) => heard.push([text, params]) } })
  await store.select({ id: users.id }).from(users).where(eq(users.id, 'a'))
  await store.transaction(async (tx) => tx.delete(users))
  assert.deepEqual(heard, [['select "id" from "users" where "users"."id" = ?', ['a']], ['delete from "users"', []]])
})

test('tables cannot be made while a transaction is open', async (t) => {
  const db = database(t)
  const store = new RelationalStore(db, { users })
  const other = sqliteTable('other', { id: integer('id') })
  let go
  const open = store.transaction(() => new Promise((resolve) => (go = resolve)))
  await new Promise((resolve) => setImmediate(resolve))
  assert.throws(() => new RelationalStore(db, { other }), { code: 'Conflict' })
  go()
  await open
  assert.ok(new RelationalStore(db, { other }))
})
