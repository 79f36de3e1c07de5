// Every mutation is an event, after its commit and in order.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eq, sql } from 'drizzle-orm'
import { orders, pageStore, sleep, user, users } from './tables.mjs'

/** Waits until `events` has so many. */
async function until(events, count) {
  for (let i = 0; events.length < count; i++) {
    assert.ok(i < 500, `${events.length} of ${count} events`)
    await sleep(2)
  }
}

test('a handler hears of each change once, in order, with what it was', async (t) => {
  const { store } = pageStore(t)
  await store.insert(users).values(user('before'))
  const events = []
  store.onCDCEvent((event) => events.push(event))
  await store.insert(users).values([user('a'), user('b')])
  await store.update(users).set({ name: 'Alice' }).where(eq(users.id, 'a'))
  await store.delete(users).where(eq(users.id, 'b'))
  await store.transaction(async (tx) => {
    await tx.insert(orders).values({ id: 'o', userId: 'a', total: 5, status: 'new' })
    await tx.transaction(async (inner) => {
      await inner.delete(users)
      inner.rollback()
    }).catch(() => {})
    await tx.update(orders).set({ total: 6 })
  })
  await assert.rejects(store.transaction(async (tx) => {
    await tx.delete(orders)
    throw new Error('no')
  }))
  await until(events, 6)
  await sleep(20)
  assert.deepEqual(
    events.map((e) => [e.type, e.op, e.store, e.table, e.key, e.before, e.after]),
    [
      ['cdc.insert', 'c', 'relational', 'users', 'a', undefined, { id: 'a', email: 'a@example.com', name: 'A', created_at: '2026-01-02T03:04:05.000Z' }],
      ['cdc.insert', 'c', 'relational', 'users', 'b', undefined, { id: 'b', email: 'b@example.com', name: 'B', created_at: '2026-01-02T03:04:05.000Z' }],
      ['cdc.update', 'u', 'relational', 'users', 'a', { name: 'A' }, { name: 'Alice' }],
      ['cdc.delete', 'd', 'relational', 'users', 'b', { id: 'b', email: 'b@example.com', name: 'B', created_at: '2026-01-02T03:04:05.000Z' }, undefined],
      ['cdc.insert', 'c', 'relational', 'orders', 'o', undefined, { id: 'o', user_id: 'a', total: 5, status: 'new' }],
      ['cdc.update', 'u', 'relational', 'orders', 'o', { total: 5 }, { total: 6 }],
    ],
  )
  assert.equal(events[0].txid, events[1].txid)
  assert.equal(events[4].txid, events[5].txid)
  assert.equal(new Set(events.map((e) => e.txid)).size, 4)
  assert.deepEqual(events.map((e) => e.lsn), [...events.map((e) => e.lsn)].sort((a, b) => a - b))
  assert.equal(new Set(events.map((e) => e.id)).size, 6)
  for (const e of events) assert.match(e.timestamp, /^\d{4}-\d\d-\d\dT.*Z$/)
})

test('a handler that throws is reported, undoes nothing and hears of the next', async (t) => {
  const { store } = pageStore(t)
  const [heard, reported] = [[], []]
  store.onCDCEvent(
    async (event) => {
      heard.push(event.key)
      if (event.key === 'a') throw new Error(`about ${event.key}`)
    },
    { onError: (error, event) => reported.push([error.message, event.key]) },
  )
  await store.insert(users).values([user('a'), user('b')])
  await store.insert(users).values(user('c'))
  await until(heard, 3)
  assert.deepEqual([heard, reported], [['a', 'b', 'c'], [['about a', 'a']]])
  assert.equal((await store.select().from(users)).length, 3)
})

test('without onError what it throws is an unhandled rejection', async (t) => {
  const { store } = pageStore(t)
  const caught = []
  // The test runner has a listener of its own, which would fail the test.
  const theirs = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.once('unhandledRejection', (error) => caught.push(error.message))
  store.onCDCEvent(() => {
    throw new Error('overlooked')
  })
  await store.insert(users).values(user('a'))
  await until(caught, 1)
  for (const listener of theirs) process.on('unhandledRejection', listener)
  assert.deepEqual(caught, ['overlooked'])
})

test('a slow handler is waited for, others are not held up, and unsubscribing ends it', async (t) => {
  const { store } = pageStore(t)
  const [slow, quick] = [[], []]
  let running = 0
  store.onCDCEvent(async (event) => {
    assert.equal(++running, 1, 'one at a time')
    await sleep(10)
    running--
    slow.push(event.key)
  })
  const stop = store.onCDCEvent((event) => {
    quick.push(event.key)
  }, { tables: ['users'] })
  for (const id of ['a', 'b', 'c']) await store.insert(users).values(user(id))
  await store.insert(orders).values({ id: 'o', total: 1, status: 's' })
  await until(quick, 3)
  stop()
  stop()
  await store.insert(users).values(user('d'))
  await until(slow, 5)
  assert.deepEqual([slow, quick], [['a', 'b', 'c', 'o', 'd'], ['a', 'b', 'c']])
})

test('closing waits for what is still to be heard', async (t) => {
  const { db, store } = pageStore(t)
  const heard = []
  store.onCDCEvent(async (event) => {
    await sleep(2)
    heard.push(event.key)
  })
  for (const id of ['a', 'b', 'c']) await store.insert(users).values(user(id))
  await db.close()
  assert.deepEqual(heard, ['a', 'b', 'c'])
})

test('commits can be looped over, from any position', async (t) => {
  const { db, store } = pageStore(t)
  const from = db.lsn
  await store.insert(users).values([user('a'), user('b')])
  const seen = []
  const loop = (async () => {
    for await (const commit of store.changes({ from, tables: ['users'], images: 'full' })) {
      seen.push(commit.events.map((e) => [e.op, e.key, e.after?.name, e.after?.email]))
      if (seen.length === 3) break
    }
  })()
  await store.insert(orders).values({ id: 'o', total: 1, status: 's' })
  await store.update(users).set({ name: 'X' }).where(eq(users.id, 'a'))
  await store.run(sql`DELETE FROM users`)
  await loop
  assert.deepEqual(seen, [
    [['c', 'a', 'A', 'a@example.com'], ['c', 'b', 'B', 'b@example.com']],
    [['u', 'a', 'X', 'a@example.com']],
    [['d', 'a', undefined, undefined], ['d', 'b', undefined, undefined]],
  ])
  const ended = (async () => {
    for await (const commit of store.changes()) assert.fail(String(commit))
    return 'ended'
  })()
  await sleep(5)
  await db.close()
  assert.equal(await ended, 'ended')
})

test('a named cursor goes on where its loop stopped, over restarts, and may begin with what is there', async (t) => {
  const { open } = await import('dotdo/db/relational')
  const { folder } = await import('./tables.mjs')
  const dir = folder()
  let { db, store } = pageStore(t, { dir })
  await store.insert(users).values([user('a'), user('b')])
  const take = async (count, options = {}) => {
    const seen = []
    for await (const commit of store.changes({ name: 'mirror', ...options })) {
      seen.push([commit.snapshot === null ? 'commit' : 'snapshot', ...commit.events.map((e) => `${e.op} ${e.key}`)])
      if (seen.length === count) break
    }
    return seen
  }
  const first = take(2, { snapshot: true, tables: ['users'] })
  await sleep(50)
  await store.insert(users).values(user('c'))
  assert.deepEqual(await first, [['snapshot', 'r a', 'r b'], ['commit', 'c c']])
  // What was not acknowledged, because the loop was left, is given again.
  assert.deepEqual(await take(1, { tables: ['users'] }), [['commit', 'c c']])
  await store.update(users).set({ name: 'X' }).where(eq(users.id, 'a'))
  await db.close()
  ;({ db, store } = pageStore(t, { dir }))
  await store.transaction(async (tx) => {
    await tx.delete(users).where(eq(users.id, 'b'))
    await tx.delete(users).where(eq(users.id, 'c'))
  })
  assert.deepEqual(await take(3, { tables: ['users'] }), [['commit', 'c c'], ['commit', 'u a'], ['commit', 'd b', 'd c']])
  const running = take(1, { tables: ['orders'] })
  await sleep(20)
  await assert.rejects(take(1), { code: 'Conflict' })
  await store.insert(orders).values({ id: 'o', userId: 'a', total: 1, status: 's' })
  await running
  await assert.rejects(take(1, { name: '' }), { code: 'Invalid' })
  assert.equal(typeof open, 'function')
})

test('an open transaction does not hold up a loop for ever, nor the loop the transaction', async (t) => {
  const { store } = pageStore(t)
  const seen = []
  const loop = (async () => {
    for await (const commit of store.changes({ name: 'n', from: 0, tables: ['users'] })) {
      seen.push(commit.events[0].key)
      if (seen.length === 3) break
    }
  })()
  await store.insert(users).values(user('a'))
  await store.insert(users).values(user('b'))
  await store.transaction(async (tx) => {
    await sleep(20)
    await tx.insert(users).values(user('c'))
    await tx.run(sql`UPDATE users SET name='x'`)
  })
  await loop
  assert.deepEqual(seen, ['a', 'b', 'c'])
})
