// What is inferred under Drizzle 1.0, and what must not compile. Only compiled, never run.

import { defineRelations, eq, sql } from 'drizzle-orm'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { Database, RelationalStore, RelationalStoreError, SchemaEvolution, open } from 'dotdo/db/relational'
import type { Commit, CompatibilityReport, RunResult, UnifiedEvent } from 'dotdo/db/relational'
import { migrate } from 'dotdo/db/relational/migrate'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_is: Same<A, B>): void {}

const users = sqliteTable('users', {
  id: text('id').primaryKey(),
  email: text('email').notNull().unique(),
  name: text('name').notNull(),
  nick: text('nick'),
  createdAt: integer('created_at', { mode: 'timestamp' }).notNull(),
})
const orders = sqliteTable('orders', {
  id: text('id').primaryKey(),
  userId: text('user_id').references(() => users.id),
  total: integer('total').notNull(),
  isPaid: integer('is_paid', { mode: 'boolean' }).notNull().default(false),
})

const db: Database = open('./data', { ns: 'acme', durability: 'full', transactionTimeoutMs: 10 })
const relations = defineRelations({ users, orders }, (r) => ({ users: { orders: r.many.orders() } }))
const store = new RelationalStore(db, { users, orders }, { relations })
type User = { id: string; email: string; name: string; nick: string | null; createdAt: Date }
type Order = { id: string; userId: string | null; total: number; isPaid: boolean }

const row = { id: 'u', email: 'e', name: 'n', createdAt: new Date() }
const returned = await store.insert(users).values(row).returning()
same<typeof returned, User[]>(true)
const partly = await store.insert(users).values(row).returning({ key: users.id, made: users.createdAt })
same<typeof partly, { key: string; made: Date }[]>(true)
const ran = await store.insert(users).values(row)
same<typeof ran, RunResult>(true)
const left = await store.select().from(orders).leftJoin(users, eq(orders.userId, users.id))
same<typeof left, { orders: Order; users: User | null }[]>(true)
const inner = await store.select({ order: orders, who: users.name }).from(orders).innerJoin(users, eq(orders.userId, users.id))
same<typeof inner, { order: Order; who: string }[]>(true)
const one = await store.select({ n: sql<number>`count(*)`, nick: users.nick }).from(users).get()
same<typeof one, { n: number; nick: string | null } | undefined>(true)
const found = await store.query.users.findMany({ columns: { id: true }, with: { orders: { columns: { total: true } } } })
same<typeof found, { id: string; orders: { total: number }[] }[]>(true)
const given = await store.transaction(async (tx) => {
  const [first] = await tx.select().from(orders)
  await tx.transaction(async (nested) => nested.delete(users))
  return first?.isPaid
})
same<typeof given, boolean | undefined>(true)
const [batched, updated] = await store.batch([store.select().from(users), store.update(users).set({ name: 'x' })])
same<typeof batched, User[]>(true)
same<typeof updated, RunResult>(true)
same<typeof store.schema.users, typeof users>(true)

const stop: () => void = store.onCDCEvent((event) => {
  same<typeof event, UnifiedEvent>(true)
})
const aborted = await store.withSignal(AbortSignal.timeout(5)).select().from(users)
same<typeof aborted, User[]>(true)
for await (const each of store.iterate(store.select().from(users), { signal: AbortSignal.timeout(5) })) same<typeof each, User>(true)
for await (const each of store.iterate(store.select().from(orders).leftJoin(users, eq(orders.userId, users.id)))) {
  same<typeof each, { orders: Order; users: User | null }>(true)
}
const byName = store.select({ key: users.id }).from(users).where(eq(users.name, sql.placeholder('name'))).prepare()
for await (const each of store.iterate(byName, { placeholders: { name: 'n' } })) same<typeof each, { key: string }>(true)
for await (const each of store.iterate(store.query.users.findMany({ columns: { id: true } }))) same<typeof each, { id: string }>(true)
for await (const each of store.iterate(sql<{ n: number }>`SELECT 1 AS n`)) same<typeof each, { n: number }>(true)
for await (const each of store.iterate(sql`SELECT 1 AS n`)) same<typeof each, Record<string, unknown>>(true)
for await (const commit of store.changes({ from: 3, tables: ['users'], name: 'n', snapshot: true })) same<typeof commit, Commit>(true)
const report: CompatibilityReport = await new SchemaEvolution(db, { mode: 'FULL_TRANSITIVE' }).checkCompatibility({ users })
await new SchemaEvolution(store).checkCompatibility({ type: 'ADD_COLUMN', table: 'users', column: { name: 'n', type: 'TEXT', nullable: true } })
await store.migrate({ version: 2, up: async (m) => m.run(sql`SELECT 1`), down: async (m) => m.select().from(users) })
await migrate(store, { migrationsFolder: '.', allowDestructive: true })
const past = await store.asOf(7)
same<typeof past, typeof store>(true)
await store.view('daily', past.select({ day: users.createdAt }).from(users), { partitionBy: 'day' })
await past.close()
const message = (e: unknown) => (e instanceof RelationalStoreError ? [e.code, e.kind, e.table, e.column, e.constraint, e.sql, e.hint] : [])
await db.query<{ n: number }>('SELECT 1 AS n', [1], { signal: AbortSignal.timeout(5) })

// @ts-expect-error A column that must be given.
store.insert(users).values({ id: 'u', email: 'e', name: 'n' })
// @ts-expect-error A value of another type.
store.insert(orders).values({ id: 'o', total: '5' })
// @ts-expect-error A timestamp is a Date.
store.update(users).set({ createdAt: 5 })
// @ts-expect-error A column that is not there.
store.update(users).set({ nmae: 'x' })
// @ts-expect-error A column of another type.
eq(users.id, 5)
// @ts-expect-error A joined row may be missing.
left[0]!.users.name
// @ts-expect-error A table that the schema does not have.
store.query.invoices
// @ts-expect-error No durability of that name.
open('./data', { durability: 'eternal' })
// @ts-expect-error Not what open() gave.
new RelationalStore('./data', { users })
// @ts-expect-error Not a query.
store.iterate('SELECT 1')
// @ts-expect-error No mode of that name.
new SchemaEvolution(db, { mode: 'SIDEWAYS' })
// @ts-expect-error A migration has an up.
store.migrate({ version: 2 })
// @ts-expect-error Not a change.
new SchemaEvolution(db).checkCompatibility(5)
// @ts-expect-error A transaction's rows have types too.
await store.transaction(async (tx) => tx.insert(users).values({ id: 1 }))

export { message, report, stop }
