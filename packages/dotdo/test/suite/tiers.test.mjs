// The tiers behind a store: its past, its history in one SQL over all stores, views, rows that were moved away.

import assert from 'node:assert/strict'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { and, desc, eq, gt, inArray, lt, or, placeholder, sql } from 'drizzle-orm'
import { blob, integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { RelationalStore, RelationalStoreError, open, openFleet } from 'dotdo/db/relational'
import { JANUARY, folder, orders, pageStore, sleep, user, users } from './tables.mjs'

const error = (expected) => (e) => {
  assert.ok(e instanceof RelationalStoreError, String(e?.stack ?? e))
  for (const [key, value] of Object.entries(expected)) {
    if (value instanceof RegExp) assert.match(String(e[key]), value)
    else assert.deepEqual(e[key], value, key)
  }
  return true
}

const DAY_MS = 24 * 60 * 60 * 1000
const sales = sqliteTable('sales', {
  id: integer('id').primaryKey(),
  at: integer('at', { mode: 'timestamp' }).notNull(),
  atMs: integer('at_ms', { mode: 'timestamp_ms' }).notNull(),
  day: text('day').notNull(),
  shop: text('shop').notNull(),
  amount: real('amount').notNull(),
  pieces: integer('pieces'),
  photo: blob('photo', { mode: 'buffer' }),
})

/** Three hundred sales over ten days, some of them before 1970. */
function sale(i, shop) {
  const at = new Date(Date.UTC(1969, 11, 27) + (i % 10) * DAY_MS + i * 60_000)
  return { id: i, at, atMs: at, day: at.toISOString().slice(0, 10), shop: i % 7 === 0 ? "o'hare" : shop, amount: i / 4, pieces: i % 5 === 0 ? null : i, photo: Buffer.from([i % 256]) }
}

/** Two tenants with sales, and the fleet over them. */
async function tenants(t, options = {}) {
  const fleet = openFleet(folder(), options)
  t.after(() => fleet.close())
  const stores = {}
  for (const ns of ['north', 'south']) {
    const db = fleet.open(ns)
    t.after(() => db.close())
    stores[ns] = new RelationalStore(db, { sales })
    await stores[ns].insert(sales).values(Array.from({ length: 300 }, (_, i) => sale(i + 1, ns)))
  }
  return { fleet, ...stores }
}

test('a store is read as it was at a position, and at a time', async (t) => {
  const { db, store } = pageStore(t)
  await store.insert(users).values([user('a'), user('b')])
  await store.insert(orders).values({ id: 'o', userId: 'a', total: 1, status: 'new' })
  const before = db.lsn
  await sleep(5)
  const then = new Date()
  await sleep(5)
  await store.update(users).set({ name: 'Changed' }).where(eq(users.id, 'a'))
  await store.delete(orders)
  const old = await store.asOf(before)
  assert.deepEqual(old.$client.moment.lsn, before)
  assert.ok(old.$client.moment.timestamp <= then)
  assert.deepEqual(await old.select().from(users).orderBy(users.id), [user('a'), user('b')])
  assert.deepEqual((await old.query.users.findMany({ columns: { id: true }, with: { orders: true } })).map((u) => [u.id, u.orders.length]), [['a', 1], ['b', 0]])
  assert.deepEqual(await old.select({ o: orders.id, who: users.name }).from(orders).innerJoin(users, eq(orders.userId, users.id)), [{ o: 'o', who: 'A' }])
  const same = await store.asOf(then)
  assert.deepEqual(await same.select().from(users).orderBy(users.id), await old.select().from(users).orderBy(users.id))
  await same.close()
  const now = await store.asOf(db.lsn)
  assert.deepEqual(await now.select().from(users).orderBy(users.id), await store.select().from(users).orderBy(users.id))
  assert.deepEqual(await now.select().from(orders), [])
  // A time that is yet to come has all that there is.
  const later = await store.asOf(new Date(Date.now() + DAY_MS))
  assert.equal(later.$client.moment.lsn, db.lsn)
  await Promise.all([old, now, later].map((past) => past.close()))
})

test('a commit is in the millisecond that its event tells', async (t) => {
  const { store } = pageStore(t)
  const heard = new Promise((resolve) => store.onCDCEvent(resolve))
  await store.insert(users).values(user('a'))
  const { timestamp } = await heard
  const old = await store.asOf(new Date(timestamp))
  assert.deepEqual(await old.select().from(users), [user('a')])
  await old.close()
})

test('a store of the past is read alone, and its folder goes with it', async (t) => {
  const { db, store } = pageStore(t)
  await store.insert(users).values(user('a'))
  const old = await store.asOf(db.lsn)
  const copy = old.$client.native.path()
  assert.ok(existsSync(copy))
  const refused = error({ kind: 'Unsupported', message: /past/, hint: /restore/ })
  await assert.rejects(async () => old.insert(users).values(user('b')), refused)
  await assert.rejects(async () => old.run(sql`WITH one AS (SELECT 1) UPDATE users SET name = 'x'`), refused)
  await assert.rejects(old.transaction(async (tx) => tx.delete(users)), refused)
  await assert.rejects(old.batch([old.delete(users)]), refused)
  await assert.rejects(old.migrate({ version: 1, up: async () => {} }), refused)
  await assert.rejects(old.changes({ name: 'mirror' }).next(), refused)
  for (const call of [() => old.archive(), () => old.asOf(1), () => old.restore({ at: 1, to: join(folder(), 'x') }), () => old.evict(users, sql`1`)]) {
    await assert.rejects(call, error({ kind: 'Unsupported' }))
  }
  await assert.rejects(old.view('v', sql`SELECT '2026-01-01' AS day`, { partitionBy: 'day' }), error({ kind: 'Unsupported' }))
  assert.deepEqual(await old.select().from(users), [user('a')])
  assert.deepEqual((await old.status()).tables, { orders: 0, users: 1 })
  await old.close()
  assert.equal(existsSync(join(copy, '..', '..', '..')), false)
  await assert.rejects(async () => old.select().from(users), error({ kind: 'Closed' }))
})

test('before and after a migration', async (t) => {
  const { db, store } = pageStore(t)
  await store.insert(users).values([user('a'), user('b')])
  const before = db.lsn
  await store.migrate({
    version: 2,
    up: async (m) => {
      await m.run(sql`ALTER TABLE users ADD COLUMN avatar_url TEXT`)
      await m.run(sql`ALTER TABLE orders RENAME TO purchases`)
    },
  })
  await store.run(sql`UPDATE users SET avatar_url = 'a.png' WHERE id = 'a'`)
  const old = await store.asOf(before)
  assert.deepEqual((await old.getColumns('users')).map((c) => c.name), ['id', 'email', 'name', 'created_at'])
  assert.deepEqual(await old.select().from(users).orderBy(users.id), [user('a'), user('b')])
  assert.deepEqual(await old.select().from(orders), [])
  await assert.rejects(old.execute('SELECT avatar_url FROM users'), error({ kind: 'NotFound' }))
  const now = await store.asOf(db.lsn)
  assert.deepEqual(await now.execute('SELECT id, avatar_url FROM users ORDER BY id'), [{ id: 'a', avatar_url: 'a.png' }, { id: 'b', avatar_url: null }])
  await assert.rejects(async () => now.select().from(orders), error({ kind: 'NotFound' }))
  await Promise.all([old.close(), now.close()])
})

test('a restore is the store as it was, in a folder of its own', async (t) => {
  const { db, store } = pageStore(t)
  await store.insert(users).values([user('a'), user('b')])
  const at = db.lsn
  await store.delete(users)
  const to = join(folder(), 'before')
  const report = await store.restore({ at, to })
  assert.deepEqual([report.lsn, report.rows, report.tables], [at, 2, { orders: 0, users: 2 }])
  assert.ok(report.timestamp instanceof Date)
  const copy = new RelationalStore(open(to, { ns: db.ns }), { users, orders })
  assert.deepEqual(await copy.select().from(users).orderBy(users.id), [user('a'), user('b')])
  await copy.insert(users).values(user('c'))
  await copy.close()
})

test('what cannot be restored', async (t) => {
  const { db, store } = pageStore(t)
  const early = new Date(Date.now() - DAY_MS)
  await store.insert(users).values(user('a'))
  const to = join(folder(), 'before')
  const outside = { kind: 'Invalid', message: /outside the history/, hint: /LSN 1 to \d+/ }
  await assert.rejects(store.restore({ at: db.lsn + 1, to }), error(outside))
  await assert.rejects(store.asOf(db.lsn + 1), error(outside))
  await assert.rejects(store.asOf(early), error(outside))
  await assert.rejects(store.asOf(0), error(outside))
  for (const at of [-1, 1.5, NaN, '7', new Date(NaN), undefined]) await assert.rejects(store.asOf(at), error({ kind: 'Invalid', hint: /lsn/ }))
  await assert.rejects(store.restore({ at: 1 }), error({ kind: 'Invalid' }))
  assert.equal(existsSync(to), false)
  const full = folder()
  writeFileSync(join(full, 'letter.txt'), 'dear')
  await assert.rejects(store.restore({ at: db.lsn, to: full }), error({ kind: 'Conflict', message: /not empty/ }))
  await assert.rejects(store.restore({ at: db.lsn, to: join(full, 'letter.txt', 'x') }), error({ kind: 'Unavailable' }))
  assert.deepEqual(readdirSync(full), ['letter.txt'])
})

test('one SQL over all stores', async (t) => {
  const { fleet, north, south } = await tenants(t)
  assert.deepEqual(await fleet.namespaces(), ['north', 'south'])
  const first = await fleet.archive()
  assert.deepEqual([first.tables.sales, first.busy, first.trimmed], [600, [], []])
  assert.deepEqual(first.lsns, { north: north.$client.lsn, south: south.$client.lsn })
  const joined = await fleet.query(`SELECT n.id, n.amount AS north, s.amount AS south FROM sales n JOIN sales s ON n.id = s.id AND n._ns = 'north' AND s._ns = 'south' WHERE n.id < 3 ORDER BY n.id`)
  assert.deepEqual(joined, [{ id: 1, north: 0.25, south: 0.25 }, { id: 2, north: 0.5, south: 0.5 }])
  const byShop = await fleet.query('SELECT _ns, shop, count(*) AS n, sum(amount) AS total FROM sales GROUP BY 1, 2 ORDER BY 1, 2')
  const byHand = []
  for (const [ns, store] of [['north', north], ['south', south]]) {
    const rows = await store.execute('SELECT shop, count(*) AS n, sum(amount) AS total FROM sales GROUP BY 1 ORDER BY 1')
    byHand.push(...rows.map((row) => ({ _ns: ns, ...row })))
  }
  assert.deepEqual(byShop, byHand)
  assert.match(await fleet.explain('SELECT count(*) FROM sales'), /sales|Exec/)
  // The second archive adds what is new, and nothing twice.
  await north.update(sales).set({ amount: 1000 }).where(lt(sales.id, 6))
  await south.delete(sales).where(eq(sales.id, 300))
  assert.deepEqual((await fleet.archive()).tables, { sales: 6 })
  assert.deepEqual((await fleet.archive()).tables, {})
  assert.deepEqual(await fleet.query('SELECT count(*) AS now, (SELECT count(*) FROM history.sales) AS ever FROM sales'), [{ now: 599, ever: 606 }])
  const status = await fleet.stores()
  assert.deepEqual(status.map(({ ns, tables }) => [ns, tables.sales]), [['north', 300], ['south', 299]])
  for (const { lsn, hotBytes, lastCommit } of status) {
    assert.deepEqual([lsn.shipped, lsn.archived], [lsn.committed, lsn.committed])
    assert.ok(hotBytes > 0 && lastCommit instanceof Date && Date.now() - lastCommit.getTime() < 60_000)
  }
  await assert.rejects(fleet.query('SELECT * FROM salse'), error({ kind: 'NotFound', hint: /sales/ }))
  await assert.rejects(fleet.query('SELEC'), error({ kind: 'Invalid' }))
  await assert.rejects(fleet.query('DELETE FROM sales'), error({ kind: 'Unsupported' }))
  await assert.rejects(fleet.query(sql`SELECT 1`), error({ kind: 'Invalid', hint: /fleet.query/ }))
})

test('the values of a query over all stores', async (t) => {
  const { fleet, north } = await tenants(t)
  await north.run(sql`CREATE TABLE kinds(id INTEGER PRIMARY KEY, big INTEGER, flag BOOLEAN, doc JSON, bytes BLOB, word TEXT)`)
  await north.run(sql`INSERT INTO kinds VALUES(1, 9007199254740993, 1, '{"a":[1]}', x'00ff', 'Ünï')`)
  await fleet.archive()
  const [row] = await fleet.query(`SELECT big, flag, bytes, word, NULL AS nothing, _ts AS moment, CAST('2026-01-02' AS DATE) AS day, CAST(12.30 AS DECIMAL(10,2)) AS price,
    TIMESTAMP '1969-12-31T23:59:59.5' AS old, (SELECT array_agg(n ORDER BY n) FROM (VALUES (1), (2)) AS t(n)) AS list FROM history.kinds`)
  const { moment, ...rest } = row
  assert.ok(moment instanceof Date && Math.abs(Date.now() - moment.getTime()) < 60_000)
  assert.deepEqual(rest, {
    big: 9007199254740993n, flag: true, bytes: Buffer.from([0, 255]), word: 'Ünï', nothing: null, day: '2026-01-02', price: '12.30',
    old: new Date(-500), list: [1, 2],
  })
  assert.deepEqual(await fleet.query("SELECT a.id, b.id, a._ns, b._ns FROM sales a JOIN sales b ON a.id = b.id AND a._ns < b._ns WHERE a.id = 7"), [
    { id: 7, id_2: 7, _ns: 'north', _ns_2: 'south' },
  ])
  const deep = `SELECT count(*) AS n FROM sales WHERE ${Array.from({ length: 1500 }, (_, i) => `id = ${i}`).join(' OR ')} AND ${'('.repeat(40)}1 = 1${')'.repeat(40)}`
  assert.deepEqual(await fleet.query(deep), [{ n: 600 }])
  const many = await fleet.query('SELECT a.id AS a, b.id AS b, a.shop FROM sales a CROSS JOIN sales b WHERE a._ns = \'north\'')
  assert.equal(many.length, 300 * 600)
})

test('a view is what its query gives, by date', async (t) => {
  const { fleet, north, south } = await tenants(t)
  const total = sql`sum(${sales.amount})`.as('total')
  const query = north.select({ day: sql`date(${sales.at}, 'unixepoch')`.as('day'), shop: sales.shop, total, n: sql`count(*)` }).from(sales)
    .where(or(eq(sales.shop, "o'hare"), and(gt(sales.amount, 0.5), lt(sales.at, new Date(Date.UTC(1970, 0, 4)))))).groupBy(sql`1`, sales.shop)
  const report = await north.view('daily', query, { partitionBy: 'day' })
  assert.equal(report.partitions, 10)
  const byHand = []
  for (const [ns, store] of [['north', north], ['south', south]]) {
    const rows = await store.execute(`SELECT date(at, 'unixepoch') AS dt, shop, sum(amount) AS total, count(*) AS n FROM sales
      WHERE shop = 'o''hare' OR (amount > 0.5 AND at < strftime('%s', '1970-01-04') + 0) GROUP BY 1, 2`)
    byHand.push(...rows.map((row) => ({ _ns: ns, ...row })))
  }
  const sorted = (rows) => rows.map((row) => JSON.stringify(Object.entries(row).sort())).sort()
  assert.equal(report.rows, byHand.length)
  assert.deepEqual(sorted(await fleet.query('SELECT _ns, dt, shop, total, n FROM daily')), sorted(byHand))
  // Nothing changed: nothing is written. One day changed: one file is.
  assert.deepEqual([(await north.view('daily', query, { partitionBy: 'day' })).filesWritten], [0])
  await north.update(sales).set({ amount: 7 }).where(eq(sales.id, 7))
  const again = await north.view('daily', query, { partitionBy: 'day' })
  assert.deepEqual([again.filesWritten, again.filesUnchanged], [1, 9])
})

test('a view is partitioned by a timestamp, a text that begins with a date, or SQL', async (t) => {
  const { fleet, north } = await tenants(t)
  const days = (await north.execute('SELECT day, count(*) AS n FROM sales GROUP BY 1 ORDER BY 1')).map(({ day, n }) => ({ dt: day, n: 2 * n }))
  const views = {
    by_seconds: [north.select({ id: sales.id, at: sales.at }).from(sales), 'at'],
    by_millis: [north.select({ id: sales.id, atMs: sales.atMs, photo: sales.photo }).from(sales), 'atMs'],
    by_text: [north.select().from(sales), 'day'],
    by_iso: [north.select({ dt: sql`${sales.day} || 'T00:00:00Z'`.as('made'), id: sales.id }).from(sales).orderBy(desc(sales.id)), 'dt'],
    by_sql: ['SELECT day AS "The Day", id FROM sales -- all of them', 'the day'],
    by_drizzle_sql: [sql`WITH s AS (SELECT * FROM ${sales} WHERE ${inArray(sales.shop, ["o'hare", 'north', 'south'])}) SELECT * FROM s;`, 'day'],
  }
  for (const [name, [query, partitionBy]] of Object.entries(views)) {
    const report = await north.view(name, query, { partitionBy })
    assert.deepEqual([report.rows, report.partitions], [600, 10], name)
    assert.deepEqual(await fleet.query(`SELECT dt, count(*) AS n FROM ${name} GROUP BY 1 ORDER BY 1`), days, name)
  }
  const [row] = await fleet.query("SELECT * FROM by_text WHERE _ns = 'north' AND id = 7")
  assert.deepEqual(Object.keys(row).sort(), ['_ns', 'amount', 'at', 'atMs', 'day', 'dt', 'id', 'photo', 'pieces', 'shop'])
  assert.deepEqual([row.photo, row.pieces, row.shop], [Buffer.from([7]), 7, "o'hare"])
})

test('views that cannot be', async (t) => {
  const { north } = await tenants(t)
  const all = north.select({ id: sales.id, day: sales.day, amount: sales.amount }).from(sales)
  const refused = (name, query, options, expected) => assert.rejects(async () => north.view(name, query, options), error(expected))
  await refused('v', all, undefined, { kind: 'Invalid', hint: /partitionBy/ })
  await refused('v', all, { partitionBy: 'dya' }, { kind: 'NotFound', hint: /day/ })
  await refused('v', all, { partitionBy: 'amount' }, { kind: 'Invalid', message: /partitioned by a date/ })
  await refused('1st view', all, { partitionBy: 'day' }, { kind: 'Invalid', message: /name of a view/ })
  await refused('v', 'SELECT id, amount FROM sales', { partitionBy: 'amount' }, { kind: 'Invalid', message: /no date/ })
  await refused('v', sql`SELECT day, id AS _ns FROM sales`, { partitionBy: 'day' }, { kind: 'Invalid', message: /_ns/ })
  await refused('v', sql`SELECT day, id AS dt FROM sales`, { partitionBy: 'day' }, { kind: 'Invalid', message: /dt/ })
  await refused('v', 'DELETE FROM sales RETURNING day', { partitionBy: 'day' }, { kind: 'Invalid' })
  await refused('v', 'SELECT day FROM sales) SELECT 1; --', { partitionBy: 'day' }, { kind: 'Invalid' })
  await refused('v', sql`SELECT day FROM salse`, { partitionBy: 'day' }, { kind: 'NotFound', hint: /sales/ })
  await refused('v', all.where(eq(sales.id, placeholder('id'))), { partitionBy: 'day' }, { kind: 'Invalid', message: /placeholder/ })
  await refused('v', north.select().from(sales).innerJoin(users, eq(users.id, sales.shop)), { partitionBy: 'day' }, { kind: 'Invalid', hint: /by name/ })
  await refused('v', 7, { partitionBy: 'day' }, { kind: 'Invalid', hint: /select/ })
  await refused('v', north.delete(sales), { partitionBy: 'day' }, { kind: 'Invalid' })
  assert.equal((await north.$client.query('SELECT count(*) AS n FROM sales'))[0].n, 300)
})

test('values in a view are the ones that would be bound', async (t) => {
  const { fleet, north } = await tenants(t)
  const values = [
    null, 0, -0, 1, -1, 1.5, -1.5, 1e21, -1e300, 5e-324, 2 ** 53, -(2 ** 63), Infinity, -Infinity, NaN, true, false, 9007199254740993n, -(2n ** 63n), 2n ** 63n - 1n,
    '', "o'hare", "''", "'; DROP TABLE sales; --", '"', '?', 'a\0b', 'Ünï 🦆', '\n', 'x\\', new Date(1234), Buffer.from([0, 39, 255]), new Uint8Array([1, 2]), new Float64Array([1]), new ArrayBuffer(3),
  ]
  const described = (value) => sql`hex(${value}) || ' ' || typeof(${value}) || ' ' || quote(${value})`
  const select = sql`SELECT '2026-01-01' AS day${sql.join(values.map((value, i) => sql`, ${described(value)} AS ${sql.identifier(`v${i}`)}`), sql``)}`
  const [bound] = await north.execute(select)
  await north.view('vals', select, { partitionBy: 'day' })
  const [kept] = await fleet.query("SELECT * FROM vals WHERE _ns = 'north'")
  for (const [i, value] of values.entries()) assert.equal(kept[`v${i}`], bound[`v${i}`], `${typeof value} ${String(value)}`)
  const encoded = north.select({ day: sales.day, id: sales.id }).from(sales).where(and(eq(sales.at, sale(3, 'n').at), eq(sales.atMs, sale(3, 'n').atMs), eq(sales.photo, Buffer.from([3]))))
  assert.equal((await north.view('encoded', encoded, { partitionBy: 'day' })).rows, 2)
  assert.deepEqual(await fleet.query("SELECT id FROM encoded WHERE _ns = 'south'"), [{ id: 3 }])
  const refused = (value) => assert.rejects(async () => north.view('v', sql`SELECT '2026-01-01' AS day, ${value} AS x`, { partitionBy: 'day' }), error({ kind: 'Invalid', message: /cannot be kept/ }))
  for (const value of [{ a: 1 }, new Date(NaN), 2n ** 63n, () => 1, placeholder('x')]) await refused(value)
})

test('rows that are moved away answer as before', async (t) => {
  const { fleet, north } = await tenants(t)
  const read = () => north.select().from(sales).orderBy(sales.id)
  const before = await read()
  const report = await north.evict(sales, and(lt(sales.at, new Date(0)), eq(sales.shop, "o'hare")))
  const isMoved = (row) => row.at < new Date(0) && row.shop === "o'hare"
  const moved = before.filter(isMoved).length
  assert.equal(report.rows, moved)
  const status = await north.status()
  assert.deepEqual([status.evictedRows, status.tables.sales], [moved, 300 - moved])
  assert.deepEqual(await read(), before)
  assert.equal((await north.evict('sales', 'id > 290')).rows, before.filter((row) => row.id > 290 && !isMoved(row)).length)
  await north.update(sales).set({ shop: 'moved' }).where(eq(sales.id, 7))
  assert.deepEqual((await read()).map((row) => row.shop), before.map((row) => (row.id === 7 ? 'moved' : row.shop)))
  // Another handle finds them too.
  await north.close()
  const again = new RelationalStore(fleet.open('north'), { sales })
  t.after(() => again.close())
  assert.equal((await again.select().from(sales)).length, 300)
  await assert.rejects(again.evict('salse', 'id = 1'), error({ kind: 'NotFound', hint: /sales/ }))
  await assert.rejects(again.evict(sales, undefined), error({ kind: 'Invalid', hint: /evict/ }))
  await assert.rejects(again.evict(sales, sql`no such thing(`), error({ kind: 'Invalid' }))
  await assert.rejects(again.evict(sales, eq(sales.id, placeholder('x'))), error({ kind: 'Invalid', message: /placeholder/ }))
})

test('archive while writes go on', async (t) => {
  const { fleet, north } = await tenants(t)
  let isDone = false
  const writing = (async () => {
    let n = 0
    for (; !isDone; n++) {
      await north.insert(sales).values(sale(1000 + n, 'busy'))
      if (n % 10 === 0) await north.transaction(async (tx) => tx.update(sales).set({ pieces: n }).where(eq(sales.id, 1)))
    }
    return n
  })()
  const lsns = []
  for (let i = 0; i < 5; i++) lsns.push((await (i % 2 ? fleet.archive().then((r) => ({ lsn: r.lsns.north })) : north.archive())).lsn)
  isDone = true
  const written = await writing
  assert.ok(written > 5)
  assert.deepEqual([...lsns].sort((a, b) => a - b), lsns)
  await Promise.all([north.archive(), fleet.archive(), north.archive()])
  assert.deepEqual(await fleet.query("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM sales WHERE _ns = 'north'"), [{ n: 300 + written, ids: 300 + written }])
  assert.deepEqual(await fleet.query("SELECT max(_lsn) AS last, count(DISTINCT _lsn) AS n FROM history.sales WHERE _ns = 'north'"), [{ last: north.$client.lsn, n: north.$client.lsn - 1 }])
})

test('inside a transaction it would wait for itself', async (t) => {
  const { fleet, north, south } = await tenants(t)
  const itself = error({ kind: 'Invalid', message: /inside/ })
  await north.transaction(async (tx) => {
    await tx.delete(sales).where(eq(sales.id, 1))
    await assert.rejects(fleet.archive(), itself)
    for (const call of [() => north.archive(), () => north.asOf(1), () => north.restore({ at: 1, to: 'x' }), () => north.evict(sales, sql`1`)]) await assert.rejects(call, itself)
    assert.equal((await north.status()).tables.sales, 300)
    await south.archive()
  })
  assert.equal((await fleet.archive()).tables.sales, 1 + 300)
})

test('a log that was trimmed before the first archive, and one that is held for it', async (t) => {
  const small = sqliteTable('small', { id: integer('id').primaryKey() })
  const big = sqliteTable('big', { id: integer('id').primaryKey(), body: blob('body', { mode: 'buffer' }).notNull() })
  const fleet = openFleet(folder())
  t.after(() => fleet.close())
  const filled = async (ns, archive) => {
    const db = fleet.open(ns, { archive })
    t.after(() => db.close())
    const store = new RelationalStore(db, { big, small })
    const body = Buffer.alloc(4 << 20, ns)
    const load = async (from, to) => {
      for (let id = from; id < to; id++) await store.insert(big).values({ id, body })
    }
    // Somebody who hears of small rows alone, and so passes all the others: the newest 64 MiB stay.
    const mailer = store.changes({ name: 'mailer', tables: ['small'] })
    const first = mailer.next()
    await load(0, 24)
    await store.insert(small).values({ id: 1 })
    assert.equal((await first).value.lsn, db.lsn)
    const second = mailer.next()
    await store.insert(small).values({ id: 2 })
    await second
    await load(24, 34)
    await mailer.return()
    return store
  }
  const trimmed = await filled('trimmed', false)
  const held = await filled('held', true)
  await assert.rejects(trimmed.archive(), error({ kind: 'NotFound', message: /trimmed/, hint: /archive: true/ }))
  await assert.rejects(trimmed.asOf(trimmed.$client.lsn), error({ kind: 'NotFound', message: /trimmed/ }))
  const report = await fleet.archive()
  assert.deepEqual([report.trimmed, Object.keys(report.lsns)], [['trimmed'], ['held']])
  const old = await held.asOf(held.$client.lsn)
  assert.equal((await old.select({ id: big.id }).from(big)).length, 34)
  await old.close()
})

test('fleets come and go', async (t) => {
  const dir = folder()
  const fleet = openFleet(dir)
  assert.deepEqual(await fleet.namespaces(), [])
  assert.deepEqual((await fleet.archive()).lsns, {})
  const db = fleet.open('acme')
  const store = new RelationalStore(db, { users })
  await store.insert(users).values({ id: 'a', email: 'a', name: 'A', createdAt: JANUARY })
  assert.throws(() => open(dir, { ns: 'acme' }), error({ kind: 'Unavailable' }))
  assert.throws(() => fleet.open('acme'), error({ kind: 'Unavailable' }))
  // Other fleets of the folder share its stores.
  const other = openFleet(join(dir, '.'))
  assert.deepEqual((await other.archive()).lsns, { acme: db.lsn })
  // What is under way is finished first.
  const [archived, asked] = await Promise.all([fleet.archive(), fleet.query('SELECT id FROM users'), fleet.close(), fleet.close()])
  assert.deepEqual([archived.rows, asked], [0, [{ id: 'a' }]])
  for (const call of [() => fleet.archive(), () => fleet.query('SELECT 1'), () => fleet.namespaces(), async () => fleet.open('acme')]) {
    await assert.rejects(call, error({ kind: 'Closed', hint: /again/ }))
  }
  const archiving = other.archive()
  await Promise.all([store.archive(), db.close()])
  await archiving
  const again = other.open('acme', { durability: 'full' })
  assert.deepEqual(await again.query('SELECT id FROM users'), [{ id: 'a' }])
  await again.close()
  await other.close()
  for (const bad of ['', 7, undefined]) assert.throws(() => openFleet(bad), error({ kind: 'Invalid', hint: /openFleet/ }))
  const memory = openFleet(':memory:')
  const [a, b] = ['a', 'b'].map((ns) => memory.open(ns))
  for (const each of [a, b]) await each.query('CREATE TABLE t(n INTEGER PRIMARY KEY)')
  await a.query('INSERT INTO t VALUES(7)')
  await memory.archive()
  assert.deepEqual(await memory.query('SELECT _ns, n FROM t'), [{ _ns: 'a', n: 7 }])
  const path = memory.native.path()
  await Promise.all([a.close(), b.close()])
  assert.ok(existsSync(path))
  await memory.close()
  assert.equal(existsSync(path), false)
})
