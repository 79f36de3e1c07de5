// Transactions whose callbacks await, beside everything else that goes on.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eq, sql } from 'drizzle-orm'
import { integer, sqliteTable } from 'drizzle-orm/sqlite-core'
import { RelationalStore, open } from 'dotdo/db/relational'
import { LONG, folder, orders, pageStore, sleep, turn, user, users } from './tables.mjs'

const names = async (where) => (await where.select({ id: users.id }).from(users).orderBy(users.id)).map((row) => row.id).join()

test('nothing slips in: reads elsewhere see the state before, writes wait', async (t) => {
  const { store } = pageStore(t)
  const log = []
  const inside = store.transaction(async (tx) => {
    await tx.insert(users).values(user('a'))
    await sleep(20)
    assert.equal(await names(tx), 'a')
    log.push('inside')
  })
  await sleep(5)
  const outside = store.insert(users).values(user('b')).then(() => log.push('outside'))
  const second = store.transaction(async (tx) => {
    assert.equal(await names(tx), 'a,b')
    await tx.insert(users).values(user('c'))
    log.push('second')
  })
  assert.equal(await names(store), '')
  await Promise.all([inside, outside, second])
  assert.deepEqual(log, ['inside', 'outside', 'second'])
  assert.equal(await names(store), 'a,b,c')
})

test('what the callback gives or throws passes through', async (t) => {
  const { store } = pageStore(t)
  assert.deepEqual(await store.transaction(async (tx) => tx.insert(users).values(user('a')).returning({ id: users.id })), [{ id: 'a' }])
  const own = new TypeError('mine')
  await assert.rejects(store.transaction(async (tx) => {
    await tx.insert(users).values(user('b'))
    throw own
  }), (e) => e === own)
  await assert.rejects(store.transaction(async (tx) => {
    await tx.insert(users).values(user('b'))
    tx.rollback()
  }), { name: /Rollback|DrizzleError|Error/ })
  await assert.rejects(store.transaction(() => {
    throw own
  }), (e) => e === own)
  for (const behavior of ['deferred', 'immediate', 'exclusive']) await store.transaction(async (tx) => tx.delete(users).where(eq(users.id, 'none')), { behavior })
  assert.equal(await names(store), 'a')
})

test('nested ones undo themselves alone', async (t) => {
  const { store } = pageStore(t)
  await store.transaction(async (tx) => {
    await tx.insert(users).values(user('a'))
    await tx.transaction(async (tx2) => {
      await tx2.insert(users).values(user('b'))
      await assert.rejects(tx2.transaction(async (tx3) => {
        await tx3.insert(users).values(user('c'))
        assert.equal(await names(tx), 'a,b,c')
        throw new Error('inner')
      }), /inner/)
      assert.equal(await names(tx2), 'a,b')
    })
    await assert.rejects(tx.transaction(async (tx2) => tx2.insert(users).values(user('a'))), { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' })
    await tx.insert(users).values(user('d'))
  })
  assert.equal(await names(store), 'a,b,d')
})

test('parallel nested ones take turns, and statements beside them are not undone with them', async (t) => {
  const { store } = pageStore(t)
  await store.transaction(async (tx) => {
    const failing = tx.transaction(async (tx2) => {
      await tx2.insert(users).values(user('x'))
      await sleep(10)
      throw new Error('undone')
    })
    const going = tx.transaction(async (tx2) => {
      await tx2.insert(users).values(user('b'))
      await turn()
      await tx2.insert(users).values(user('c'))
    })
    await turn()
    const beside = tx.insert(users).values(user('a')).then((result) => result.changes)
    await assert.rejects(failing, /undone/)
    await going
    assert.equal(await beside, 1)
  })
  assert.equal(await names(store), 'a,b,c')
})

test('using the store inside its own transaction is an error, not a deadlock', async (t) => {
  const { db, store } = pageStore(t)
  await store.transaction(async (tx) => {
    await tx.insert(users).values(user('a'))
    await assert.rejects(async () => store.insert(users).values(user('b')), { code: 'Invalid', hint: /use the tx/ })
    await assert.rejects(store.transaction(async () => {}), { code: 'Invalid', hint: /use the tx/ })
    await assert.rejects(store.migrate({ version: 1, up: () => {} }), { code: 'Invalid', hint: /use the tx/ })
    assert.equal(await names(store), '', 'reads see what is committed')
    await tx.transaction(async (inner) => {
      await assert.rejects(tx.transaction(async () => {}), { code: 'Invalid', hint: /inner callback/ })
      await inner.insert(users).values(user('c'))
    })
    const other = new RelationalStore(open(':memory:'), { users })
    await other.insert(users).values(user('elsewhere'))
    await other.$client.close()
  })
  assert.equal(await names(store), 'a,c')
  assert.equal(db.isOpen, true)
})

test('a callback that never ends is rolled back', async (t) => {
  const { store } = pageStore(t, { transactionTimeoutMs: 40 })
  let late
  const keptAlive = setTimeout(() => {}, 5000)
  const stuck = store.transaction(async (tx) => {
    await tx.insert(users).values(user('a'))
    await sleep(120)
    late = tx.insert(users).values(user('b')).then(() => 'done', (e) => e.code)
  })
  await assert.rejects(stuck, { code: 'Conflict', message: /too long/ })
  await store.insert(users).values(user('c'))
  await sleep(120)
  clearTimeout(keptAlive)
  assert.equal(await late, 'Closed')
  assert.equal(await names(store), 'c')
})

test('a statement that fails leaves the transaction usable; one that ends it is told', async (t) => {
  const { store } = pageStore(t)
  await store.transaction(async (tx) => {
    await tx.insert(users).values(user('a'))
    await assert.rejects(async () => tx.insert(users).values(user('a')), { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' })
    await tx.insert(users).values(user('b'))
  })
  await assert.rejects(store.transaction(async (tx) => {
    await tx.insert(users).values(user('c'))
    await assert.rejects(async () => tx.run(sql`INSERT OR ROLLBACK INTO users SELECT * FROM users`), { kind: 'Constraint' })
    await tx.insert(users).values(user('d'))
  }), { code: 'Conflict' })
  assert.equal(await names(store), 'a,b')
})

test('long statements in a transaction leave the event loop free', async (t) => {
  const { store } = pageStore(t)
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  await store.transaction(async (tx) => {
    await tx.insert(users).values(user('a'))
    assert.deepEqual(await tx.all(sql`WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<1000000) SELECT count(*) AS n, (SELECT count(*) FROM users) AS u FROM c`), [{ n: 1_000_000, u: 1 }])
    await tx.insert(users).values(user('b'))
  })
  clearInterval(timer)
  assert.ok(turns >= 5, `${turns} turns`)
  assert.equal(await names(store), 'a,b')
})

test('statements that are not awaited are done before the commit', async (t) => {
  const { store } = pageStore(t)
  await store.transaction(async (tx) => {
    void tx.run(sql`UPDATE users SET name=name`).then(() => {})
    void tx.insert(users).values(user('a')).then(() => {})
    void tx.run(sql`DELETE FROM users WHERE id='zz'`).then(() => {})
  })
  assert.equal(await names(store), 'a')
})

test('concurrent read-modify-write loses nothing', async (t) => {
  const db = open(':memory:')
  t.after(() => db.close())
  const counter = sqliteTable('counter', { id: integer('id').primaryKey(), n: integer('n').notNull() })
  const store = new RelationalStore(db, { counter })
  await store.insert(counter).values({ id: 1, n: 0 })
  const add = (i) =>
    i % 2
      ? store.update(counter).set({ n: sql`n+1` })
      : store.transaction(async (tx) => {
          const [{ n }] = await tx.select({ n: counter.n }).from(counter)
          await null
          await tx.update(counter).set({ n: n + 1 })
        })
  await Promise.all(Array.from({ length: 200 }, (_, i) => add(i)))
  assert.deepEqual(await store.select({ n: counter.n }).from(counter), [{ n: 200 }])
})

test('of many writes at once, one that fails fails alone', async (t) => {
  for (const durability of ['normal', 'full']) {
    const { store } = pageStore(t, { durability, dir: folder() })
    await store.insert(users).values(user('u7'))
    const all = await Promise.allSettled(Array.from({ length: 64 }, (_, i) => store.insert(users).values(user(`u${i}`)).returning({ id: users.id })))
    const failed = all.map((outcome, i) => [outcome.status, i]).filter(([status]) => status === 'rejected')
    assert.deepEqual(failed, [['rejected', 7]], durability)
    assert.deepEqual(all[8].value, [{ id: 'u8' }])
    assert.equal((await store.select().from(users)).length, 64)
  }
})

test('a write is seen by the next read', async (t) => {
  const { store } = pageStore(t)
  for (let i = 0; i < 50; i++) {
    await store.insert(users).values(user(`u${i}`))
    assert.equal((await store.select().from(users)).length, i + 1)
    await store.update(users).set({ name: String(i) })
    assert.equal((await store.select({ name: users.name }).from(users).limit(1))[0].name, String(i))
  }
})

test('LONG is what the other files take it for', async (t) => {
  const { db } = pageStore(t)
  assert.deepEqual(await db.query(LONG, [5]), [{ n: 5 }])
  assert.equal((await db.query('SELECT count(*) AS n FROM orders'))[0].n, 0)
  assert.ok(orders)
})
