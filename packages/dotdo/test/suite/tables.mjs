// What the suite's files share: the tables of the page, stores on them, and which Drizzle is here.

import * as orm from 'drizzle-orm'
import * as core from 'drizzle-orm/sqlite-core'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { RelationalStore, open } from 'dotdo/db/relational'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const isV1 = 'SQLiteAsyncDatabase' in core

export const users = sqliteTable('users', {
  id: text('id').primaryKey(),
  email: text('email').notNull().unique(),
  name: text('name').notNull(),
  createdAt: integer('created_at', { mode: 'timestamp' }).notNull(),
})

export const orders = sqliteTable('orders', {
  id: text('id').primaryKey(),
  userId: text('user_id').references(() => users.id),
  total: integer('total').notNull(),
  status: text('status').notNull(),
})

/** What a table has beside its columns, as each generation wants it. */
export const extras = (members) => (isV1 ? Object.values(members) : members)

const schema = { users, orders }
/** The relations of users and orders, in each generation's way. */
const related = isV1
  ? { config: { relations: orm.defineRelations(schema, (r) => ({ users: { orders: r.many.orders() }, orders: { user: r.one.users({ from: r.orders.userId, to: r.users.id }) } })) }, members: {} }
  : {
      config: {},
      members: {
        usersRelations: orm.relations(users, ({ many }) => ({ orders: many(orders) })),
        ordersRelations: orm.relations(orders, ({ one }) => ({ user: one(users, { fields: [orders.userId], references: [users.id] }) })),
      },
    }

/** An open store with the page's tables, closed when the test ends. */
export function pageStore(t, options = {}) {
  const db = open(options.dir ?? ':memory:', options)
  t.after(() => db.close())
  return { db, store: new RelationalStore(db, { ...schema, ...related.members }, related.config) }
}

export const JANUARY = new Date('2026-01-02T03:04:05.000Z')

export function user(id, more = {}) {
  return { id, email: `${id}@example.com`, name: id.toUpperCase(), createdAt: JANUARY, ...more }
}

export function folder() {
  return mkdtempSync(join(tmpdir(), 'dotdo-'))
}

export const turn = () => new Promise((resolve) => setImmediate(resolve))
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Whether it comes true, as soon as it does. */
export async function comesTrue(is) {
  const begun = performance.now()
  while (!is()) {
    if (performance.now() - begun > 10_000) return false
    await turn()
  }
  return true
}

/** A query that takes about a second wherever it runs, and one that it is nothing like. */
export const LONG = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<?) SELECT count(*) AS n FROM c'
