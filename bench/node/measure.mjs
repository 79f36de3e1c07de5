// One peer's measurements, as JSON: name, unit, value. The smaller the better.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { eq, sql } from 'drizzle-orm'
import { index, integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'

const [, , peer] = process.argv
const dir = mkdtempSync(join(tmpdir(), 'bench-'))

const users = sqliteTable('users', { id: integer('id').primaryKey(), email: text('email').notNull(), name: text('name').notNull(), createdAt: integer('created_at', { mode: 'timestamp' }).notNull(), isActive: integer('is_active', { mode: 'boolean' }).notNull(), score: real('score') })
const orders = sqliteTable('orders', { id: integer('id').primaryKey(), userId: integer('user_id').notNull(), total: integer('total').notNull(), status: text('status').notNull(), note: text('note'), placedAt: integer('placed_at', { mode: 'timestamp' }).notNull(), paid: integer('paid', { mode: 'boolean' }).notNull() }, (t) => [index('by_user').on(t.userId)])

async function connect(durability) {
  const path = join(dir, durability)
  if (peer === 'dotdo') {
    const { RelationalStore, open } = await import('dotdo/db/relational')
    const database = open(path, { durability })
    const db = new RelationalStore(database, { users, orders })
    return { db, close: () => database.close(), transaction: (body) => db.transaction(body) }
  }
  const [{ default: Database }, { drizzle }] = await Promise.all([import('better-sqlite3'), import('drizzle-orm/better-sqlite3')])
  const client = new Database(`${path}.db`)
  client.pragma('journal_mode = WAL')
  client.pragma(`synchronous = ${durability}`)
  client.pragma('cache_size = -16384')
  client.exec(`CREATE TABLE IF NOT EXISTS users(id integer PRIMARY KEY, email text NOT NULL, name text NOT NULL, created_at integer NOT NULL, is_active integer NOT NULL, score real);
    CREATE TABLE IF NOT EXISTS orders(id integer PRIMARY KEY, user_id integer NOT NULL, total integer NOT NULL, status text NOT NULL, note text, placed_at integer NOT NULL, paid integer NOT NULL);
    CREATE INDEX IF NOT EXISTS by_user ON orders(user_id)`)
  const db = drizzle(client)
  // Theirs cannot await inside one: its statements are run as they come.
  return { db, close: () => client.close(), transaction: (body) => client.transaction(() => body(db))() }
}

const out = []
const { db, close, transaction } = await connect('normal')
const user = (i) => ({ id: i, email: `user${i}@example.com`, name: `User ${i}`, createdAt: new Date(1.7e12 + i * 1000), isActive: i % 3 > 0, score: i / 7 })
const order = (i) => ({ id: i, userId: (i % 1000) + 1, total: i * 3, status: i % 2 ? 'pending' : 'paid', note: i % 5 ? 'a note of some length' : null, placedAt: new Date(1.7e12 + i * 1000), paid: i % 2 === 0 })
for (let i = 1; i <= 1000; i += 100) await db.insert(users).values(Array.from({ length: 100 }, (_, k) => user(i + k)))
for (let i = 1; i <= 1000; i += 100) await db.insert(orders).values(Array.from({ length: 100 }, (_, k) => order(i + k)))

/** Microseconds a call, the best of five runs of `count` calls. */
async function measure(name, count, call) {
  for (let i = 0; i < count / 2; i++) await call(i)
  let best = Infinity
  for (let run = 0; run < 5; run++) {
    const begun = performance.now()
    for (let i = 0; i < count; i++) await call(i)
    best = Math.min(best, ((performance.now() - begun) * 1000) / count)
  }
  out.push([name, 'µs', best])
}

const byId = db.select().from(users).where(eq(users.id, sql.placeholder('id'))).prepare()
await measure('prepared get', 20_000, (i) => byId.get({ id: (i % 1000) + 1 }))
await measure('get, built per call', 5_000, (i) => db.select().from(users).where(eq(users.id, (i % 1000) + 1)).get())
await measure('join of 1,000 rows of 13 columns', 30, () => db.select().from(orders).innerJoin(users, eq(orders.userId, users.id)))
await measure('scan of 1,000 rows of 6 columns', 100, () => db.select().from(users))
let next = 10_000
await measure('insert returning', 1_000, () => db.insert(orders).values(order(next++)).returning())
await measure('update by key', 1_000, (i) => db.update(users).set({ name: `n${i}` }).where(eq(users.id, (i % 1000) + 1)))

for (const [name, prepare] of [
  ['10,000 rows in one transaction', (tx) => (id) => tx.insert(orders).values({ id, userId: 1, total: 5, status: 'new', placedAt: new Date(0), paid: false }).run()],
  ['10,000 rows in one transaction, prepared', (tx) => {
    const statement = tx.insert(orders).values({ id: sql.placeholder('id'), userId: 1, total: 5, status: 'new', placedAt: new Date(0), paid: false }).prepare()
    return (id) => statement.run({ id })
  }],
]) {
  const times = []
  for (let run = 0; run < 5; run++) {
    const begun = performance.now()
    if (peer === 'dotdo') {
      await transaction(async (tx) => {
        const insert = prepare(tx)
        for (let i = 0; i < 10_000; i++) await insert(next++)
      })
    } else {
      transaction((tx) => {
        const insert = prepare(tx)
        for (let i = 0; i < 10_000; i++) insert(next++)
      })
    }
    times.push(performance.now() - begun)
  }
  out.push([name, 'ms', Math.min(...times)])
}

{
  const long = sql`WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<5000000) SELECT count(*) AS n FROM c`
  const delay = monitorEventLoopDelay({ resolution: 1 })
  await new Promise((resolve) => setTimeout(resolve, 20))
  delay.enable()
  await new Promise((resolve) => setTimeout(resolve, 20))
  await db.all(long)
  await new Promise((resolve) => setTimeout(resolve, 20))
  delay.disable()
  out.push(['largest gap of the event loop in a long query', 'ms', delay.max / 1e6])
}
await close()

{
  const full = await connect('full')
  const values = { userId: 1, total: 5, status: 'new', placedAt: new Date(0), paid: false }
  const prepared = full.db.insert(orders).values({ id: sql.placeholder('id'), ...values }).prepare()
  for (const [name, write] of [
    ['one-row write at full durability, 64 at once', () => full.db.insert(orders).values({ id: next++, ...values }).run()],
    ['one-row write at full durability, 64 at once, prepared', () => prepared.run({ id: next++ })],
  ]) {
    // 64 writers, each with its next write when the last is safe.
    const writer = async (count) => {
      for (let i = 0; i < count; i++) await write()
    }
    await Promise.all(Array.from({ length: 64 }, () => writer(20)))
    const begun = performance.now()
    await Promise.all(Array.from({ length: 64 }, () => writer(100)))
    out.push([name, 'µs', ((performance.now() - begun) * 1000) / 6400])
  }
  await full.close()
}
rmSync(dir, { recursive: true })
console.log(JSON.stringify(out))
