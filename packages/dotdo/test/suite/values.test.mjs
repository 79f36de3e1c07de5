// Values on their way in and out.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eq, sql } from 'drizzle-orm'
import { open } from 'dotdo/db/relational'
import { orders, pageStore, user, users } from './tables.mjs'

test('what goes in comes out', async (t) => {
  const db = open(':memory:')
  t.after(() => db.close())
  const out = async (value) => (await db.query('SELECT ? AS v, typeof(?) AS t', [value, value]))[0]
  const cases = [
    [0, 0, 'integer'],
    [-7, -7, 'integer'],
    [2 ** 53, 2 ** 53, 'integer'],
    [0.5, 0.5, 'real'],
    [1e300, 1e300, 'real'],
    [-Infinity, -Infinity, 'real'],
    [NaN, null, 'null'],
    [2n ** 63n - 1n, 2n ** 63n - 1n, 'integer'],
    [-(2n ** 63n), -(2n ** 63n), 'integer'],
    [2n ** 53n + 1n, 2n ** 53n + 1n, 'integer'],
    [12n, 12, 'integer'],
    ['', '', 'text'],
    ['aé𝄞\u0000b', 'aé𝄞\u0000b', 'text'],
    [true, 1, 'integer'],
    [false, 0, 'integer'],
    [null, null, 'null'],
    [undefined, null, 'null'],
    [new Date(1234567890123), 1234567890123, 'integer'],
    [Buffer.from('hi'), Buffer.from('hi'), 'blob'],
    [new Uint8Array([1, 2]), Buffer.from([1, 2]), 'blob'],
    [new Uint16Array([258]).buffer, Buffer.from([2, 1]), 'blob'],
    [new DataView(new ArrayBuffer(2), 1), Buffer.from([0]), 'blob'],
    [Buffer.alloc(0), Buffer.alloc(0), 'blob'],
  ]
  for (const [value, expected, type] of cases) assert.deepEqual(await out(value), { v: expected, t: type }, String(value))
})

test('text that is no Unicode is replaced, as Buffer does', async (t) => {
  const db = open(':memory:')
  t.after(() => db.close())
  assert.deepEqual(await db.query('SELECT ? AS v', ['a\ud800b']), [{ v: 'a\ufffdb' }])
  assert.deepEqual(await db.query("SELECT CAST(x'61ff62' AS TEXT) AS v"), [{ v: 'a\ufffdb' }])
})

test('what cannot be bound is named', async (t) => {
  const { db, store } = pageStore(t)
  for (const value of [{}, [], Symbol('s'), () => 1, 2n ** 63n, new Date(NaN), new Map()]) {
    await assert.rejects(db.query('SELECT ?, ?', [1, value]), (e) => e.code === 'Invalid' && e.message.startsWith('parameter 2 cannot be bound'), String(typeof value))
  }
  await assert.rejects(db.query('SELECT ?', [1, 2]), { code: 'Invalid' })
  await assert.rejects(db.query('SELECT ?, ?', [1]), { code: 'Invalid' })
  await assert.rejects(async () => store.insert(orders).values({ id: 'o', total: Symbol('no'), status: 's' }), { code: 'Invalid' })
  assert.deepEqual(await store.select().from(orders), [])
})

test('integers that a number does not hold are given as bigint, not rounded', async (t) => {
  const { store } = pageStore(t)
  await store.insert(users).values(user('ann'))
  await store.run(sql`INSERT INTO orders VALUES('o', 'ann', ${9007199254740993n}, 'new')`)
  assert.deepEqual(await store.select({ total: orders.total }).from(orders).where(eq(orders.id, 'o')), [{ total: 9007199254740993n }])
})
