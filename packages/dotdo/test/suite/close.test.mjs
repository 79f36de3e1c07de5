// Closing from wherever a program may: nothing waits for itself.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'drizzle-orm'
import { RelationalStore, open } from 'dotdo/db/relational'
import { folder, pageStore, turn, user, users } from './tables.mjs'

function opened() {
  const db = open(':memory:')
  return { db, store: new RelationalStore(db, { users }) }
}

/** What `run` resolves to; an error if it does not within five seconds. */
async function ends(run) {
  let timer
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error('it waits for itself')), 5000)))
  try {
    return await Promise.race([run, late])
  } finally {
    clearTimeout(timer)
  }
}

test('a handler may close the store, and hears of nothing more', async () => {
  const { db, store } = opened()
  const heard = []
  const closed = new Promise((resolve) => {
    store.onCDCEvent(async (event) => {
      heard.push(event.key)
      if (event.key !== 'b') return
      await turn()
      await db.close()
      resolve(heard.push('closed'))
    })
  })
  const others = []
  store.onCDCEvent(async (event) => {
    await turn()
    others.push(event.key)
  })
  await store.insert(users).values(['a', 'b', 'c'].map((id) => user(id)))
  await store.insert(users).values(user('d'))
  await ends(closed)
  assert.deepEqual(heard, ['a', 'b', 'closed'])
  assert.deepEqual(others, ['a', 'b', 'c', 'd'], 'other handlers are waited for')
  assert.equal(db.isOpen, false)
})

test('a handler and the program may close at the same time', async () => {
  const { db, store } = opened()
  let inHandler
  store.onCDCEvent(async () => {
    // The program has begun to close, and waits for this.
    while (db.isOpen) await turn()
    inHandler = db.close()
    await inHandler
  })
  await store.insert(users).values(user('a'))
  await ends(db.close())
  await ends(inHandler)
})

test('what a handler has begun and not waited for may close it too, after all was heard', async () => {
  const { db, store } = opened()
  const heard = []
  let closed
  store.onCDCEvent(async (event) => {
    heard.push(event.key)
    closed ??= new Promise((resolve) => setTimeout(() => resolve(db.close()), 20))
  })
  await store.insert(users).values(user('a'))
  while (closed === undefined) await turn()
  await store.insert(users).values([user('b'), user('c')])
  await ends(closed)
  assert.deepEqual(heard, ['a', 'b', 'c'])
})

test('a handler that unsubscribes hears of no other event of the commit', async (t) => {
  const { db, store } = pageStore(t)
  const [heard, others] = [[], []]
  const stop = store.onCDCEvent((event) => {
    heard.push(event.key)
    stop()
  })
  store.onCDCEvent((event) => void others.push(event.key))
  await store.insert(users).values([user('a'), user('b')])
  // By then all was told that is told.
  await db.close()
  assert.deepEqual([heard, others], [['a'], ['a', 'b']])
})

for (const name of [undefined, 'mirror']) {
  test(`a loop over ${name === undefined ? 'commits' : 'a named cursor'} may close the store, and ends`, async () => {
    const dir = folder()
    const db = open(dir)
    const store = new RelationalStore(db, { users })
    await store.insert(users).values(user('a'))
    const seen = []
    const loop = async () => {
      for await (const commit of store.changes({ from: 0, tables: ['users'], name })) {
        if (commit.events[0].op !== 'c') continue
        seen.push(commit.events[0].key)
        await db.close()
      }
    }
    await ends(loop())
    assert.deepEqual(seen, ['a'])
    // It is closed: another may have it.
    await open(dir).close()
  })
}

test('a transaction that closes its store is undone', async () => {
  const dir = folder()
  const db = open(dir)
  const store = new RelationalStore(db, { users })
  await store.insert(users).values(user('kept'))
  await assert.rejects(ends(store.transaction(async (tx) => {
    await tx.insert(users).values(user('a'))
    await db.close()
  })), { kind: 'Closed' })
  await ends(db.close())
  const again = open(dir)
  assert.deepEqual(await again.query('SELECT id FROM users'), [{ id: 'kept' }])
  await again.close()
})

test("the store in its own migration's callback would wait for itself, and says so", async (t) => {
  const { db, store } = pageStore(t)
  const refused = { kind: 'Invalid', message: /inside its own migration's callback/, hint: /db that the callback is given/ }
  await ends(store.migrate({
    version: 1,
    up: async (m) => {
      await assert.rejects(async () => store.insert(users).values(user('a')), refused)
      await assert.rejects(store.transaction(async () => {}), refused)
      await assert.rejects(store.migrate({ version: 2, up: () => {} }), refused)
      await assert.rejects(db.close(), refused)
      assert.deepEqual(await store.select().from(users), [], 'reading is another matter')
      await m.run(sql`CREATE TABLE made(id TEXT PRIMARY KEY)`)
    },
  }))
  await store.insert(users).values(user('after'))
  assert.deepEqual((await store.getColumns('made')).map((c) => c.name), ['id'])
})
