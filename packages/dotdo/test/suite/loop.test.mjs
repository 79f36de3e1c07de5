// The event loop stays free, and queries can be cancelled.

import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { test } from 'node:test'
import { sql } from 'drizzle-orm'
import { LONG, folder, pageStore, sleep, user, users } from './tables.mjs'

const ROWS = 3_000_000

/** How often the event loop came round while `run` did its work. */
async function turnsDuring(run) {
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  const begun = performance.now()
  await run()
  clearInterval(timer)
  return { turns, ms: performance.now() - begun }
}

test('a long query runs beside the event loop, and short ones beside it', async (t) => {
  const { db, store } = pageStore(t)
  await store.insert(users).values(user('a'))
  let short = 0
  const { turns, ms } = await turnsDuring(async () => {
    let isDone = false
    const long = db.query(LONG, [ROWS]).finally(() => (isDone = true))
    while (!isDone) {
      assert.equal((await store.select().from(users)).length, 1)
      short++
      await sleep(1)
    }
    assert.deepEqual(await long, [{ n: ROWS }])
  })
  assert.ok(ms > 20, `it took ${ms} ms: too quick to tell`)
  assert.ok(turns > 5 && short > 5, `${turns} turns and ${short} queries in ${ms} ms`)
})

test('one long step of the machine is left too', async (t) => {
  const { db } = pageStore(t, { dir: folder() })
  await db.query('CREATE TABLE numbers(n)')
  await db.query(`INSERT INTO numbers WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<${ROWS / 3}) SELECT x FROM c`)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  assert.deepEqual(await db.query('SELECT count(*) AS n FROM numbers'), [{ n: ROWS / 3 }])
  delay.disable()
  // It takes some ten milliseconds; the machine may have other things to do, so the bound is not the budget.
  assert.ok(delay.max / 1e6 < 200, `${delay.max / 1e6} ms`)
})

test('many rows are put together in turns', async (t) => {
  const { db } = pageStore(t)
  let rows
  const { turns } = await turnsDuring(async () => {
    rows = await db.query(`WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<300000) SELECT x, 'text ' || x AS t FROM c`)
  })
  assert.equal(rows.length, 300_000)
  assert.deepEqual(rows[299_999], { x: 300_000, t: 'text 300000' })
  assert.ok(turns > 3, `${turns} turns`)
})

test('a signal stops a query, and what comes after it runs', async (t) => {
  const { db } = pageStore(t)
  const begun = performance.now()
  await assert.rejects(db.query(LONG, [1_000_000_000], { signal: AbortSignal.timeout(20) }), { name: 'TimeoutError' })
  const own = new AbortController()
  const stopped = db.query(LONG, [1_000_000_000], { signal: own.signal })
  const reason = new Error('enough')
  setTimeout(() => own.abort(reason), 10)
  await assert.rejects(stopped, (e) => e === reason)
  await assert.rejects(db.query('SELECT 1', [], { signal: own.signal }), (e) => e === reason)
  assert.ok(performance.now() - begun < 10_000)
  assert.deepEqual(await db.query('SELECT 1 AS one', [], { signal: new AbortController().signal }), [{ one: 1 }])
})

test("a signal stops Drizzle's queries too, and no write", async (t) => {
  const { store } = pageStore(t)
  const own = new AbortController()
  const reason = new Error('enough')
  const long = store.withSignal(own.signal).all(sql`WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<1e12) SELECT count(*) FROM c`)
  setTimeout(() => own.abort(reason), 10)
  await assert.rejects(async () => long, (e) => e === reason)
  const other = store.withSignal(new AbortController().signal)
  await other.insert(users).values(user('a'))
  await other.transaction(async (tx) => tx.insert(users).values(user('b')))
  assert.deepEqual(await other.select({ id: users.id }).from(users), [{ id: 'a' }, { id: 'b' }])
})

test('closing stops queries that run', async (t) => {
  const { db, store } = pageStore(t)
  const long = db.query(LONG, [1_000_000_000])
  const outcome = assert.rejects(long, { code: 'Conflict', message: /cancelled/ })
  let inside
  const open = store.transaction(async (tx) => {
    await tx.insert(users).values(user('a'))
    inside = tx
    await new Promise(() => {})
  })
  const undone = assert.rejects(open, { code: 'Closed' })
  await sleep(20)
  await db.close()
  await Promise.all([outcome, undone])
  await assert.rejects(async () => inside.run(sql`SELECT 1`), { code: 'Closed' })
})

test('slow writes leave the event loop free', async (t) => {
  const { db } = pageStore(t)
  await db.query('CREATE TABLE numbers(n, m)')
  const { turns } = await turnsDuring(() => db.query('INSERT INTO numbers WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<200000) SELECT x, x FROM c'))
  const update = await turnsDuring(() => db.query('UPDATE numbers SET m=m+1'))
  assert.ok(turns > 5 && update.turns > 5, `${turns} and ${update.turns} turns`)
  assert.deepEqual(await db.query('SELECT sum(m - n) AS s FROM numbers'), [{ s: 200_000 }])
})

test('the write-ahead log stays small under writes that never let the event loop come round', async (t) => {
  const dir = folder()
  const { db, store } = pageStore(t, { dir })
  await store.insert(users).values(user('a'))
  const wal = join(dir, 'hot', db.ns, 'store.db-wal')
  const name = 'n'.repeat(3000)
  let largest = 0
  for (let i = 0; i < 6000; i++) {
    // Two queries leave their snapshot open for the next.
    for (let k = 0; i % 1000 === 0 && k < 2; k++) await store.select({ id: users.id }).from(users).limit(1)
    await db.query('UPDATE users SET name = ?, email = ?', [name, `${i}${name}`])
    largest = Math.max(largest, statSync(wal).size)
  }
  // All of it is some 30,000 frames.
  assert.ok(largest < 16_000 * 4120, `${largest} bytes`)
})
