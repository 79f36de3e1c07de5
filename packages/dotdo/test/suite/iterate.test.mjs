// Rows one after another: however many they are, memory stays as it is, and whatever ends the loop frees the reader.

import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { eq, gt, sql } from 'drizzle-orm'
import { blob, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { RelationalStore, RelationalStoreError, open } from 'dotdo/db/relational'
import { LONG, comesTrue, folder, isV1, orders, pageStore, user, users } from './tables.mjs'
import { run } from './program.mjs'

const COUNT = (n) => sql.raw(`WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<${n}) SELECT x, 'text ' || x AS t FROM c`)

/** The threads that read rows, by the name that they have. */
function readers() {
  const tasks = '/proc/self/task'
  return existsSync(tasks) ? readdirSync(tasks).filter((id) => nameOf(`${tasks}/${id}/comm`) === 'relstore-rows').length : 0
}

function nameOf(file) {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}

async function all(rows) {
  const out = []
  for await (const row of rows) out.push(row)
  return out
}

async function filled(t, options) {
  const { db, store } = pageStore(t, options)
  await store.insert(users).values([user('a'), user('b'), user('c')])
  await store.insert(orders).values([
    { id: 'o1', userId: 'a', total: 5, status: 'open' },
    { id: 'o2', userId: null, total: 7, status: 'open' },
  ])
  return { db, store }
}

test('the rows are those that awaiting the query gives', async (t) => {
  const { store } = await filled(t)
  const queries = [
    () => store.select().from(users),
    () => store.select().from(orders).leftJoin(users, eq(orders.userId, users.id)),
    () => store.select({ who: users.name, at: users.createdAt, n: sql`count(*)`.mapWith(Number) }).from(users).groupBy(users.id),
    () => store.selectDistinct({ status: orders.status }).from(orders),
    () => store.select({ id: users.id }).from(users).union(store.select({ id: orders.id }).from(orders)),
    () => store.query.users.findMany({ with: { orders: true } }),
    () => store.select().from(users).where(gt(users.id, 'x')),
  ]
  for (const query of queries) assert.deepEqual(await all(store.iterate(query())), await query())
  assert.deepEqual(await all(store.iterate(sql`SELECT id, total FROM orders WHERE total > ${5}`)), [{ id: 'o2', total: 7 }])
  assert.deepEqual(await all(store.iterate(store.all(sql`SELECT ${1} AS one`))), [{ one: 1 }])
  assert.deepEqual(await all(store.iterate(store.query.users.findFirst({ where: isV1 ? { id: 'b' } : eq(users.id, 'b') }))), [user('b')])
})

test('prepared queries are given their placeholders', async (t) => {
  const { store } = await filled(t)
  const prepared = store.select({ id: users.id }).from(users).where(eq(users.id, sql.placeholder('id'))).prepare()
  assert.deepEqual(await all(store.iterate(prepared, { placeholders: { id: 'b' } })), [{ id: 'b' }])
  assert.deepEqual(await all(store.iterate(prepared, { placeholders: { id: 'x' } })), [])
})

test('every value comes as it is', async (t) => {
  const values = sqliteTable('values', { id: integer('id').primaryKey(), big: text('big'), bytes: blob('bytes', { mode: 'buffer' }) })
  const db = open(':memory:')
  t.after(() => db.close())
  const store = new RelationalStore(db, { values })
  const rows = [
    { id: 1, big: 'x'.repeat(3 << 20), bytes: Buffer.alloc(2 << 20, 7) },
    { id: 2, big: 'é𝄞', bytes: null },
    { id: 3, big: null, bytes: Buffer.alloc(0) },
  ]
  for (const row of rows) await store.insert(values).values(row)
  assert.deepEqual(await all(store.iterate(store.select().from(values))), rows)
  assert.deepEqual(await all(store.iterate(sql`SELECT 9007199254740993 AS n, NULL AS none, 0.5 AS half`)), [{ n: 9007199254740993n, none: null, half: 0.5 }])
})

test('half a million rows take no more memory than a few', () => {
  // In a process of its own, where nothing else is kept; the compared one has them all.
  const measured = (how) => JSON.parse(run(`
const db = open(':memory:')
const store = new RelationalStore(db, {})
const query = sql.raw("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<500000) SELECT x, 'some text of row ' || x AS t FROM c")
for await (const row of store.iterate(query)) if (row.x === 5000) break
gc()
const used = () => { gc(); const { heapUsed, external, arrayBuffers } = process.memoryUsage(); return heapUsed + external + arrayBuffers }
const before = used()
let most = 0, count = 0, sum = 0
const seen = (row) => { count++; sum += row.x; if (count % 50000 === 0) most = Math.max(most, used() - before) }
${how}
console.log(JSON.stringify({ most, count, sum, rss: process.memoryUsage().rss }))
await db.close()`).said)
  const flat = measured('for await (const row of store.iterate(query)) seen(row)')
  const whole = measured('for (const row of await store.all(query)) seen(row)')
  assert.deepEqual([flat.count, flat.sum], [500_000, 125_000_250_000])
  assert.ok(flat.most < 8 << 20, `${flat.most} bytes`)
  assert.ok(whole.most > 32 << 20, `${whole.most} bytes: the bound says nothing`)
  assert.ok(flat.rss < whole.rss, `${flat.rss} and ${whole.rss}`)
})

test('the thread reads no further ahead than a few chunks', async (t) => {
  const { store } = pageStore(t)
  // It would never end; what it has read says how far it went.
  const rows = store.iterate(sql`WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c`)
  const memory = () => process.memoryUsage().rss
  assert.deepEqual((await rows.next()).value, { x: 1 })
  const before = memory()
  for (let i = 0; i < 200; i++) await new Promise((resolve) => setTimeout(resolve, 1))
  assert.ok(memory() - before < 64 << 20, `${memory() - before} bytes`)
  assert.deepEqual((await rows.next()).value, { x: 2 })
  await rows.return()
})

test('the event loop has its turns, and other statements run meanwhile', async (t) => {
  const { store } = await filled(t)
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  let count = 0
  for await (const row of store.iterate(COUNT(300_000))) if (row.x > 0) count++
  clearInterval(timer)
  assert.equal(count, 300_000)
  assert.ok(turns > 3, `${turns} turns`)
  let written = 0
  for await (const row of store.iterate(store.select({ id: users.id }).from(users))) {
    await store.insert(users).values(user(`copy of ${row.id}`))
    written++
  }
  assert.equal(written, 3, 'it reads one state, and not what the loop wrote')
  assert.equal((await store.select().from(users)).length, 6)
})

test('rows of a slow query come as they are found', async (t) => {
  const { store } = pageStore(t)
  const slow = sql.raw(`WITH s(y) AS (VALUES(1), (2), (3)) SELECT y, (${LONG.replace('?', '1000000 + y')}) AS n FROM s`)
  const begun = performance.now()
  const rows = store.iterate(slow)
  await rows.next()
  const first = performance.now() - begun
  await rows.next()
  await rows.next()
  const third = performance.now() - begun
  assert.ok(first < third * 0.7, `${first} and ${third} ms`)
  assert.equal((await rows.next()).done, true)
})

test('break frees the reader at once, and so does an error in the loop', async (t) => {
  const { db, store } = await filled(t, { dir: folder() })
  for (let i = 0; i < 20; i++) {
    for await (const row of store.iterate(COUNT(1_000_000_000))) if (row.x === 10_000) break
    assert.ok(await comesTrue(() => readers() === 0))
  }
  const own = new Error('mine')
  await assert.rejects(async () => {
    for await (const row of store.iterate(COUNT(1_000_000_000))) if (row.x === 3) throw own
  }, (e) => e === own)
  assert.ok(await comesTrue(() => readers() === 0))
  const rows = store.iterate(store.select().from(users))
  await rows.return()
  assert.equal((await rows.next()).done, true)
  assert.deepEqual(await db.query('SELECT count(*) AS n FROM users'), [{ n: 3 }])
})

test('a signal stops it, between rows and while a row is waited for', async (t) => {
  const { db, store } = await filled(t)
  const reason = new Error('enough')
  const own = new AbortController()
  let count = 0
  await assert.rejects(async () => {
    for await (const row of store.iterate(COUNT(1_000_000_000), { signal: own.signal })) if (++count === row.x && count === 100) own.abort(reason)
  }, (e) => e === reason)
  assert.equal(count, 100)
  const begun = performance.now()
  await assert.rejects(all(store.iterate(sql.raw(LONG.replace('?', '1e12')), { signal: AbortSignal.timeout(20) })), { name: 'TimeoutError' })
  assert.ok(performance.now() - begun < 10_000)
  await assert.rejects(all(store.iterate(store.select().from(users), { signal: own.signal })), (e) => e === reason)
  assert.ok(await comesTrue(() => readers() === 0))
  // One that is stopped while nobody asks is freed too.
  const idle = new AbortController()
  const rows = store.iterate(COUNT(1_000_000_000), { signal: idle.signal })
  await rows.next()
  idle.abort(reason)
  assert.ok(await comesTrue(() => readers() === 0))
  await assert.rejects(rows.next(), (e) => e === reason)
  assert.deepEqual(await db.query('SELECT 1 AS one'), [{ one: 1 }])
})

test('what is wrong with the query is thrown at the loop', async (t) => {
  const { store } = await filled(t)
  const refused = (query, expected) => assert.rejects(all(store.iterate(query)), (e) => {
    assert.ok(e instanceof RelationalStoreError, String(e?.stack ?? e))
    for (const [key, value] of Object.entries(expected)) value instanceof RegExp ? assert.match(String(e[key]), value) : assert.equal(e[key], value)
    return true
  })
  await refused(sql`SELECT * FROM usres`, { kind: 'NotFound', hint: /users/, sql: 'SELECT * FROM usres' })
  await refused(sql`SELEC 1`, { kind: 'Invalid' })
  await refused(sql`SELECT json_extract(value, '$') FROM (SELECT '1' AS value UNION ALL SELECT '{')`, { kind: 'Invalid', message: /JSON/ })
  await refused(store.insert(users).values(user('z')).returning(), { kind: 'Invalid', message: /writes/, hint: /await/ })
  await refused(sql`WITH one(x) AS (VALUES(1)) DELETE FROM orders WHERE total IN one RETURNING id`, { kind: 'Invalid', message: /writes/ })
  assert.equal((await store.select().from(orders)).length, 2)
  for (const none of [undefined, null, 5, {}, 'SELECT 1', users]) assert.throws(() => store.iterate(none), { kind: 'Invalid', hint: /iterate/ })
  assert.ok(await comesTrue(() => readers() === 0))
})

test('closing the store ends it', async () => {
  const db = open(':memory:')
  const store = new RelationalStore(db, { users })
  const closed = { kind: 'Closed' }
  const idle = store.iterate(COUNT(1_000_000_000))
  assert.deepEqual((await idle.next()).value, { x: 1, t: 'text 1' })
  const waiting = store.iterate(sql.raw(LONG.replace('?', '1e12')))
  const outcome = assert.rejects(waiting.next(), closed)
  const inLoop = assert.rejects(async () => {
    for await (const row of store.iterate(COUNT(1_000_000_000))) if (row.x === 5) await db.close()
  }, closed)
  await Promise.all([outcome, inLoop])
  await assert.rejects(idle.next(), closed)
  await assert.rejects(store.iterate(COUNT(1)).next(), closed)
  assert.ok(await comesTrue(() => readers() === 0))
})

test('loops that are given up are collected, and their readers are free', async (t) => {
  const { store } = await filled(t)
  const kept = new AbortController()
  for (let i = 0; i < 10; i++) await store.iterate(COUNT(1_000_000_000), { signal: kept.signal }).next()
  if (existsSync('/proc/self/task')) assert.ok(readers() > 0)
  const isFree = await comesTrue(() => {
    gc()
    return readers() === 0
  })
  assert.ok(isFree, `${readers()} readers are left`)
})

test('a process may end in the middle of a loop, and a worker thread be terminated', () => {
  const ended = run(`
const store = new RelationalStore(open(dir), { users })
for await (const row of store.iterate(sql.raw(LONG.replace('SELECT count(*) AS n', 'SELECT x').replace('?', '1e12')))) if (row.x === 20000) process.exit(4)`)
  assert.equal(ended.status, 4, ended.stderr)
  const over = run(`
const store = new RelationalStore(open(dir), { users })
const rows = store.iterate(sql.raw(LONG.replace('SELECT count(*) AS n', 'SELECT x').replace('?', '1e12')))
console.log((await rows.next()).value.x)`)
  assert.deepEqual([over.status, over.said], [0, '1'], over.stderr)
  const { status, said, stderr } = run(`
import { Worker } from 'node:worker_threads'
for (let i = 0; i < 6; i++) await new Promise((resolve) => {
  const worker = new Worker(\`
    const { parentPort, workerData } = require('node:worker_threads')
    const { RelationalStore, open } = require('dotdo/db/relational')
    const { sql } = require('drizzle-orm')
    const store = new RelationalStore(open(':memory:'), {})
    ;(async () => {
      const query = sql.raw(workerData.LONG.replace('SELECT count(*) AS n', 'SELECT x').replace('?', '1e12'))
      const idle = store.iterate(query)
      await idle.next()
      for await (const row of store.iterate(query)) if (row.x === 20000) { parentPort.postMessage(row.x); if (workerData.i % 2) await new Promise(() => {}) }
    })()\`, { eval: true, workerData: { LONG, i } })
  worker.on('message', (x) => { console.log(x); worker.terminate() })
  worker.on('error', (e) => console.error(e))
  worker.on('exit', resolve)
})`)
  assert.equal(status, 0, stderr)
  assert.equal(said, Array(6).fill(20000).join('\n'), stderr)
})
