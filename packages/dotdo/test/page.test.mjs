import { test } from 'node:test'
import assert from 'node:assert/strict'
import { eq, sql } from 'drizzle-orm'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { RelationalStore, open } from 'dotdo/db/relational'
test('smoke', async () => {
  const db = open(':memory:')
  const users = sqliteTable('users', { id: text('id').primaryKey(), email: text('email').notNull().unique(), name: text('name').notNull(), createdAt: integer('created_at', { mode: 'timestamp' }).notNull() })
  const orders = sqliteTable('orders', { id: text('id').primaryKey(), userId: text('user_id').references(() => users.id), total: integer('total').notNull(), status: text('status').notNull() })
  const store = new RelationalStore(db, { users, orders })
  const events = []
  store.onCDCEvent((e) => events.push(e))
  console.log(await store.insert(users).values({ id: 'u1', email: 'a@b', name: 'Alice', createdAt: new Date() }).returning())
  console.log(await store.select().from(users))
  await store.insert(orders).values({ id: 'o1', userId: 'u1', total: 5, status: 'pending' })
  console.log(await store.select().from(orders).leftJoin(users, eq(orders.userId, users.id)).where(eq(orders.status, 'pending')))
  console.log(await store.query.users.findMany())
  await store.transaction(async (tx) => { await tx.update(users).set({ name: 'Bob' }); console.log(await store.select({ n: users.name }).from(users), await tx.select({ n: users.name }).from(users)) })
  console.log(await store.getColumns('users'), await store.getReferences('orders'), await store.getConstraints(users))
  await assert.rejects(async () => store.insert(users).values({ id: 'u2', email: 'a@b', name: 'x', createdAt: new Date() }), (e) => { console.log(e.code, e.table, e.column, e.message); return true })
  await store.migrate({ version: 2, up: async (db) => { await db.run(sql`ALTER TABLE users ADD COLUMN avatar_url TEXT`) }, down: async (db) => { await db.run(sql`ALTER TABLE users DROP COLUMN avatar_url`) } })
  console.log(await store.getMigrationHistory())
  await store.rollback(2)
  await db.close()
  console.log(events.map((e) => [e.type, e.table, e.key, e.before, e.after]))
})
