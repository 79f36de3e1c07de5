// One program may have this package twice: as modules, and by require. What one copy gives the other takes.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { sql } from 'drizzle-orm'
import * as esm from 'dotdo/db/relational'
import * as esmMigrate from 'dotdo/db/relational/migrate'
import { turn, user, users } from './tables.mjs'

const require = createRequire(import.meta.url)
const cjs = require('dotdo/db/relational')
const cjsMigrate = require('dotdo/db/relational/migrate')

const directions = [
  ['a module in a program of require', esm, esmMigrate, cjs, cjsMigrate],
  ['require in a program of modules', cjs, cjsMigrate, esm, esmMigrate],
]

test('there are two copies', () => {
  for (const name of ['Database', 'RelationalStore', 'RelationalStoreError']) assert.notEqual(esm[name], cjs[name], name)
})

for (const [what, one, , other, otherMigrate] of directions) {
  test(`${what}: instanceof`, async (t) => {
    const db = one.open(':memory:')
    t.after(() => db.close())
    const store = new one.RelationalStore(db, { users })
    assert.ok(db instanceof one.Database && db instanceof other.Database)
    assert.ok(store instanceof one.RelationalStore && store instanceof other.RelationalStore)
    const thrown = await store.run(sql`SELEC 1`).then(() => undefined, (e) => e)
    assert.ok(thrown instanceof one.RelationalStoreError && thrown instanceof other.RelationalStoreError && thrown instanceof Error)
    for (const none of [new Error('x'), {}, null, undefined, 'text', db]) assert.equal(none instanceof other.RelationalStoreError, false)
    assert.equal(thrown instanceof other.Database, false)
    class Own extends other.RelationalStoreError {}
    assert.deepEqual([thrown instanceof Own, new Own('Invalid', 'x') instanceof Own, new Own('Invalid', 'x') instanceof one.RelationalStoreError], [false, true, true])
  })

  test(`${what}: a database of one copy under a store of the other`, async (t) => {
    const db = one.open(':memory:')
    t.after(() => db.close())
    const store = new other.RelationalStore(db, { users })
    const heard = []
    store.onCDCEvent((event) => heard.push(event.key), { tables: ['users'] })
    assert.deepEqual(await store.insert(users).values(user('a')).returning(), [user('a')])
    await store.transaction(async (tx) => {
      await tx.insert(users).values(user('b'))
      await tx.transaction(async (nested) => nested.insert(users).values(user('c')))
      await assert.rejects(tx.transaction(async (nested) => {
        await nested.insert(users).values(user('d'))
        throw new Error('undone')
      }), { message: 'undone' })
      // Both copies know that this would wait for itself.
      await assert.rejects(async () => store.insert(users).values(user('e')), (e) => e instanceof one.RelationalStoreError && /inside its own transaction/.test(e.message))
      await assert.rejects(async () => new one.RelationalStore(db, { users }).insert(users).values(user('e')), /inside its own transaction/)
    })
    const mine = new one.RelationalStore(db, { users })
    assert.deepEqual(await mine.select({ id: users.id }).from(users), [{ id: 'a' }, { id: 'b' }, { id: 'c' }])
    const keys = []
    for await (const { id } of store.iterate(mine.select({ id: users.id }).from(users))) keys.push(id)
    assert.deepEqual(keys, ['a', 'b', 'c'])
    await store.migrate({ version: 1, up: async (m) => {
      await m.run(sql`CREATE TABLE more(id TEXT PRIMARY KEY)`)
      await assert.rejects(async () => m.transaction(async () => {}), { kind: 'Unsupported' })
    } })
    assert.equal((await mine.getMigrationHistory()).length, 1)
    assert.equal((await new other.SchemaEvolution(mine).checkCompatibility({ users })).ok, true)
    await assert.rejects(otherMigrate.migrate(mine, { migrationsFolder: '/no/such/folder' }), { kind: 'NotFound' })
    await assert.rejects(async () => store.insert(users).values(user('a')), (e) => e instanceof other.RelationalStoreError && e.code === 'SQLITE_CONSTRAINT_PRIMARYKEY')
    while (heard.length < 3) await turn()
    assert.deepEqual(heard, ['a', 'b', 'c'])
  })
}
