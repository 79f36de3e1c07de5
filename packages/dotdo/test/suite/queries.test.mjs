// What Drizzle asks, and what it is given.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { and, asc, count, desc, eq, gt, inArray, like, sql, sum } from 'drizzle-orm'
import { blob, integer, real, sqliteTable, sqliteView, text, union } from 'drizzle-orm/sqlite-core'
import { alias } from 'drizzle-orm/sqlite-core'
import { RelationalStore, open } from 'dotdo/db/relational'
import { JANUARY, isV1, orders, pageStore, user, users } from './tables.mjs'

async function filled(t) {
  const { db, store } = pageStore(t)
  await store.insert(users).values([user('ann'), user('bob'), user('cid')])
  await store.insert(orders).values([
    { id: 'o1', userId: 'ann', total: 10, status: 'pending' },
    { id: 'o2', userId: 'ann', total: 20, status: 'paid' },
    { id: 'o3', userId: 'bob', total: 30, status: 'pending' },
    { id: 'o4', userId: null, total: 40, status: 'pending' },
  ])
  return { db, store }
}

test('rows come back as they were put in', async (t) => {
  const { store } = await filled(t)
  assert.deepEqual(await store.select().from(users).where(eq(users.id, 'ann')), [user('ann')])
  assert.deepEqual(await store.select().from(users).where(eq(users.id, 'nobody')), [])
  assert.deepEqual(await store.select().from(users).where(eq(users.id, 'ann')).get(), user('ann'))
  assert.equal(await store.select().from(users).where(eq(users.id, 'nobody')).get(), undefined)
  assert.deepEqual(await store.select().from(users).where(eq(users.id, 'ann')).values(), [['ann', 'ann@example.com', 'ANN', JANUARY.getTime() / 1000]])
  assert.deepEqual(await store.select({ who: users.name, made: users.createdAt, n: sql`1+1` }).from(users).where(eq(users.id, 'bob')), [
    { who: 'BOB', made: JANUARY, n: 2 },
  ])
})

test('joins nest rows, and give null where there is none', async (t) => {
  const { store } = await filled(t)
  const joined = await store.select().from(orders).leftJoin(users, eq(orders.userId, users.id)).where(eq(orders.status, 'pending')).orderBy(orders.id)
  assert.deepEqual(
    joined.map((row) => [row.orders.id, row.users]),
    [['o1', user('ann')], ['o3', user('bob')], ['o4', null]],
  )
  const inner = await store.select().from(orders).innerJoin(users, eq(orders.userId, users.id)).orderBy(desc(orders.id))
  assert.deepEqual(inner.map((row) => row.users.id), ['bob', 'ann', 'ann'])
  const other = alias(users, 'other')
  const pairs = await store.select({ a: users.id, b: { id: other.id, name: other.name } }).from(users).leftJoin(other, gt(other.id, users.id)).orderBy(users.id, other.id)
  assert.deepEqual(pairs, [
    { a: 'ann', b: { id: 'bob', name: 'BOB' } },
    { a: 'ann', b: { id: 'cid', name: 'CID' } },
    { a: 'bob', b: { id: 'cid', name: 'CID' } },
    { a: 'cid', b: null },
  ])
})

test('one text with other selections is decoded by each', async (t) => {
  const { store } = await filled(t)
  const first = store.select({ id: users.id, nested: { name: users.name } }).from(users).where(eq(users.id, 'ann'))
  const second = store.select({ other: users.id, nested: { title: users.name } }).from(users).where(eq(users.id, 'ann'))
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(await first, [{ id: 'ann', nested: { name: 'ANN' } }])
    assert.deepEqual(await second, [{ other: 'ann', nested: { title: 'ANN' } }])
  }
})

test('groups, subqueries, with, set operations and counts', async (t) => {
  const { store } = await filled(t)
  const totals = store.$with('totals').as(store.select({ userId: orders.userId, total: sum(orders.total).mapWith(Number).as('total') }).from(orders).groupBy(orders.userId))
  assert.deepEqual(await store.with(totals).select().from(totals).orderBy(asc(totals.total)), [
    { userId: 'ann', total: 30 },
    { userId: 'bob', total: 30 },
    { userId: null, total: 40 },
  ])
  const sub = store.select({ userId: orders.userId }).from(orders).where(gt(orders.total, 15)).as('sub')
  const found = await store.select({ id: users.id }).from(users).innerJoin(sub, eq(sub.userId, users.id)).orderBy(users.id)
  assert.deepEqual(found, [{ id: 'ann' }, { id: 'bob' }])
  const ids = await union(store.select({ id: users.id }).from(users), store.select({ id: orders.id }).from(orders)).orderBy(sql`1`).limit(4)
  assert.deepEqual(ids, [{ id: 'ann' }, { id: 'bob' }, { id: 'cid' }, { id: 'o1' }])
  assert.deepEqual(await store.select({ n: count() }).from(orders).where(inArray(orders.status, ['paid', 'pending'])), [{ n: 4 }])
  if (store.$count !== undefined) assert.equal(await store.$count(orders, eq(orders.status, 'pending')), 3)
  const dynamic = store.select().from(users).$dynamic()
  assert.equal((await dynamic.where(like(users.email, '%@example.com')).limit(2)).length, 2)
})

test('writes say what they changed, and give rows back', async (t) => {
  const { store } = await filled(t)
  assert.deepEqual(await store.update(users).set({ name: 'Alice' }).where(eq(users.id, 'ann')), { changes: 1, lastInsertRowid: 4 })
  assert.deepEqual(await store.update(orders).set({ total: sql`${orders.total} * 2` }).where(eq(orders.userId, 'ann')).returning({ id: orders.id, total: orders.total }), [
    { id: 'o1', total: 20 },
    { id: 'o2', total: 40 },
  ])
  assert.deepEqual((await store.delete(orders).where(eq(orders.id, 'o4'))).changes, 1)
  assert.deepEqual(await store.delete(orders).where(eq(orders.id, 'o3')).returning(), [{ id: 'o3', userId: 'bob', total: 30, status: 'pending' }])
  const upsert = store.insert(users).values(user('ann', { name: 'Again' })).onConflictDoUpdate({ target: users.id, set: { name: 'Again' } }).returning({ name: users.name })
  assert.deepEqual(await upsert, [{ name: 'Again' }])
  assert.deepEqual((await store.insert(users).values(user('ann')).onConflictDoNothing()).changes, 0)
})

test('prepared statements take placeholders', async (t) => {
  const { store } = await filled(t)
  const byId = store.select().from(users).where(and(eq(users.id, sql.placeholder('id')), like(users.email, sql.placeholder('mail')))).prepare()
  for (const id of ['ann', 'bob', 'ann']) assert.deepEqual(await byId.all({ id, mail: '%' }), [user(id)])
  assert.equal(await byId.get({ id: 'ann', mail: 'x%' }), undefined)
  const insert = store.insert(orders).values({ id: sql.placeholder('id'), total: sql.placeholder('total'), status: 'new' }).prepare()
  for (const id of ['p1', 'p2']) await insert.run({ id, total: 7 })
  assert.equal((await store.select().from(orders).where(eq(orders.status, 'new'))).length, 2)
})

test('raw statements', async (t) => {
  const { db, store } = await filled(t)
  assert.deepEqual(await store.all(sql`SELECT id, total FROM orders WHERE total > ${25} ORDER BY id`), [
    { id: 'o3', total: 30 },
    { id: 'o4', total: 40 },
  ])
  assert.deepEqual(await store.get(sql`SELECT count(*) AS n FROM users`), { n: 3 })
  assert.deepEqual(await store.values(sql`SELECT 1, 'a', NULL, 0.5`), [[1, 'a', null, 0.5]])
  assert.equal((await store.run(sql`DELETE FROM orders WHERE total > 25`)).changes, 2)
  assert.deepEqual(await store.execute('SELECT id FROM orders ORDER BY 1'), [{ id: 'o1' }, { id: 'o2' }])
  assert.deepEqual(await store.execute(sql`UPDATE orders SET status='x' WHERE id=${'o1'} RETURNING id, status`), [{ id: 'o1', status: 'x' }])
  assert.deepEqual(await db.query('SELECT ? AS a, ? AS b, 1 AS "__proto__"', [1, 'x']), [Object.fromEntries([['a', 1], ['b', 'x'], ['__proto__', 1]])])
})

test('relational queries', async (t) => {
  const { store } = await filled(t)
  const found = await store.query.users.findMany({ with: { orders: true }, orderBy: isV1 ? { id: 'asc' } : (u, { asc }) => asc(u.id) })
  assert.deepEqual(
    found.map((u) => [u.id, u.createdAt, u.orders.map((o) => o.total)]),
    [['ann', JANUARY, [10, 20]], ['bob', JANUARY, [30]], ['cid', JANUARY, []]],
  )
  const one = await store.query.orders.findFirst({ where: isV1 ? { id: 'o1' } : eq(orders.id, 'o1'), with: { user: { columns: { name: true } } } })
  assert.deepEqual(one, { id: 'o1', userId: 'ann', total: 10, status: 'pending', user: { name: 'ANN' } })
  assert.equal(await store.query.orders.findFirst({ where: isV1 ? { id: 'none' } : eq(orders.id, 'none') }), undefined)
})

test('a batch is one transaction', async (t) => {
  const { store } = await filled(t)
  const [inserted, found, n] = await store.batch([
    store.insert(users).values(user('dot')).returning({ id: users.id }),
    store.select({ id: users.id }).from(users).orderBy(desc(users.id)).limit(1),
    store.all(sql`SELECT count(*) AS n FROM users`),
  ])
  assert.deepEqual([inserted, found, n], [[{ id: 'dot' }], [{ id: 'dot' }], [{ n: 4 }]])
  await assert.rejects(store.batch([store.delete(users).where(eq(users.id, 'dot')), store.insert(users).values(user('ann'))]), { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' })
  assert.equal((await store.select().from(users)).length, 4)
})

test('every kind of column, as Drizzle has it', async (t) => {
  const db = open(':memory:')
  t.after(() => db.close())
  const all = sqliteTable('everything', {
    id: integer('id').primaryKey({ autoIncrement: true }),
    flag: integer('flag', { mode: 'boolean' }).notNull().default(true),
    seconds: integer('seconds', { mode: 'timestamp' }),
    millis: integer('millis', { mode: 'timestamp_ms' }),
    ratio: real('ratio'),
    document: text('document', { mode: 'json' }),
    bytes: blob('bytes', { mode: 'buffer' }),
    packed: blob('packed', { mode: 'json' }),
    huge: blob('huge', { mode: 'bigint' }),
    choice: text('choice', { enum: ['a', 'b'] }),
  })
  const store = new RelationalStore(db, { all })
  const row = {
    flag: false,
    seconds: JANUARY,
    millis: new Date(1234567890123),
    ratio: 0.1,
    document: { a: [1, 'ü', null], 'b"': { c: true } },
    bytes: Buffer.from([0, 1, 255]),
    packed: [1, { x: 'y' }],
    huge: 2n ** 70n,
    choice: 'b',
  }
  await store.insert(all).values(row)
  await store.insert(all).values({})
  const empty = Object.fromEntries(Object.keys(row).map((name) => [name, null]))
  assert.deepEqual(await store.select().from(all).orderBy(all.id), [{ id: 1, ...row }, { id: 2, ...empty, flag: true }])
  const types = Object.fromEntries((await store.getColumns(all)).map((column) => [column.name, column.logicalType]))
  assert.deepEqual(types, {
    id: 'integer', flag: 'boolean', seconds: 'timestamp', millis: 'timestamp_ms', ratio: 'real', document: 'json', bytes: 'blob', packed: 'blob', huge: 'blob', choice: 'text',
  })
})

test('views', async (t) => {
  const { store } = await filled(t)
  await store.run(sql`CREATE VIEW pending AS SELECT id, total FROM orders WHERE status='pending'`)
  const pending = sqliteView('pending', { id: text('id'), total: integer('total') }).existing()
  assert.deepEqual(await store.select().from(pending).where(gt(pending.total, 20)).orderBy(pending.id), [{ id: 'o3', total: 30 }, { id: 'o4', total: 40 }])
})

test('many rows, wide rows, long texts', async (t) => {
  const { db, store } = pageStore(t)
  const many = Array.from({ length: 20_000 }, (_, i) => `('u${i}','u${i}@example.com','näme ${i}',${i})`)
  await store.run(sql.raw(`INSERT INTO users VALUES ${many.join(',')}`))
  const rows = await store.select().from(users).orderBy(users.createdAt)
  assert.equal(rows.length, 20_000)
  for (const i of [0, 1, 8191, 8192, 19_999]) assert.deepEqual(rows[i], { id: `u${i}`, email: `u${i}@example.com`, name: `näme ${i}`, createdAt: new Date(i * 1000) })
  const wide = await db.query(`SELECT ${Array.from({ length: 1500 }, (_, i) => `${i} AS c${i}`).join(',')}`)
  assert.equal(Object.keys(wide[0]).length, 1500)
  assert.equal(wide[0].c1499, 1499)
  const long = 'x'.repeat(3_000_000) + 'é'
  const bytes = Buffer.alloc(9_000_000, 7)
  assert.deepEqual(await db.query('SELECT ? AS long, ? AS bytes, length(?) AS n', [long, bytes, 'é𝄞']), [{ long, bytes, n: 2 }])
  assert.deepEqual(await db.query('SELECT ? AS after', ['ok']), [{ after: 'ok' }])
  const params = Array.from({ length: 30_000 }, (_, i) => i)
  assert.deepEqual(await db.query(`SELECT count(*) AS n FROM (VALUES ${params.map(() => '(?)').join(',')})`, params), [{ n: 30_000 }])
})
