// Stores come and go: garbage collection, worker threads, the process's end. Nothing of it brings the process down.

import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { open } from 'dotdo/db/relational'
import { run } from './program.mjs'
import { LONG, comesTrue, folder, pageStore, turn, user, users } from './tables.mjs'

test('a store is there again after it was closed, and after the process ended without that', async () => {
  const dir = folder()
  const write = (id, end) => run(`
const db = open(dir)
const store = new RelationalStore(db, { users })
await store.insert(users).values({ id: '${id}' })
${end}`, dir)
  assert.deepEqual([write('a', 'await db.close()').status, write('b', '').status, write('c', 'process.exit(3)').status], [0, 0, 3])
  const db = open(dir)
  assert.deepEqual(await db.query('SELECT id FROM users ORDER BY id'), [{ id: 'a' }, { id: 'b' }, { id: 'c' }])
  await db.close()
})

test('a process ends by itself when nothing is left to do, and its temporary store with it', () => {
  const { status, said, stderr } = run(`
const db = open(':memory:')
const store = new RelationalStore(db, { users })
store.onCDCEvent((event) => console.log(event.key))
await store.insert(users).values({ id: 'heard' })
console.log(db.native.path())`)
  assert.equal(status, 0, stderr)
  const [path] = said.split('\n').filter((line) => line.startsWith('/'))
  assert.ok(said.includes('heard'), said)
  assert.equal(existsSync(path), false)
})

test('process.exit while queries, transactions and handlers run', () => {
  const begun = Date.now()
  const { status, stderr } = run(`
const db = open(dir)
const store = new RelationalStore(db, { users })
db.query(LONG, [1e12])
db.query(LONG, [1e12])
store.transaction(async (tx) => { await tx.insert(users).values({ id: 'a' }); await tx.run(sql.raw('SELECT 1')); await new Promise(() => {}) })
setTimeout(() => process.exit(5), 50)`)
  assert.equal(status, 5, stderr)
  assert.ok(Date.now() - begun < 20_000)
  const inHandler = run(`
const store = new RelationalStore(open(dir), { users })
store.onCDCEvent(() => process.exit(6))
await store.insert(users).values({ id: 'a' })
setTimeout(() => {}, 10_000)`)
  assert.equal(inHandler.status, 6, inHandler.stderr)
})

test('statements, queries and transactions may be collected whenever the engine likes', () => {
  const { status, said, stderr } = run(`
const db = open(dir)
const store = new RelationalStore(db, { users })
const running = []
for (let i = 0; i < 3000; i++) {
  running.push(db.query('SELECT ' + i + ' AS n'), store.insert(users).values({ id: 'u' + i }).execute())
  if (i % 250 === 0) { gc(); await new Promise((r) => setImmediate(r)); }
  if (i % 500 === 0) running.push(db.query(LONG + ' -- ' + i, [200000]), store.transaction(async (tx) => { gc(); await tx.run(sql.raw('UPDATE users SET id=id')); gc() }))
}
await Promise.all(running)
gc()
for (let i = 0; i < 50; i++) { const other = open(':memory:'); await other.query('SELECT 1'); if (i % 2) await other.close(); if (i % 10 === 0) gc() }
gc()
await new Promise((r) => setTimeout(r, 50))
gc()
console.log((await db.query('SELECT count(*) AS n FROM users'))[0].n)
await db.close()`)
  assert.equal(status, 0, stderr)
  assert.equal(said, '3000')
})

test('worker threads have stores of their own, and may be terminated in the middle', () => {
  const { status, said, stderr } = run(`
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { fileURLToPath } from 'node:url'
const done = []
await Promise.all([0, 1, 2, 3].map((i) => new Promise((resolve) => {
  const worker = new Worker(\`
    const { parentPort, workerData } = require('node:worker_threads')
    const { open } = require('dotdo/db/relational')
    const db = open(workerData.dir, { ns: 'w' + workerData.i })
    ;(async () => {
      await db.query('CREATE TABLE t(n)')
      for (let k = 0; k < 200; k++) await db.query('INSERT INTO t VALUES(?)', [k])
      parentPort.postMessage((await db.query('SELECT count(*) AS n FROM t'))[0].n)
      if (workerData.i % 2) await db.query(workerData.LONG, [1e12]); else await db.close()
    })()\`, { eval: true, workerData: { dir, i, LONG } })
  worker.on('message', (n) => { done.push(n); if (i % 2) setTimeout(() => worker.terminate(), 10) })
  worker.on('error', (e) => console.error(e))
  worker.on('exit', resolve)
})))
console.log(done.join())
for (const i of [0, 1, 2, 3]) { const db = open(dir, { ns: 'w' + i }); console.log((await db.query('SELECT count(*) AS n FROM t'))[0].n); await db.close() }`)
  assert.equal(status, 0, stderr)
  assert.equal(said, '200,200,200,200\n200\n200\n200\n200', stderr)
})

test('opening and closing many times leaves nothing behind', async () => {
  const dir = folder()
  const threads = () => (existsSync('/proc/self/task') ? readdirSync('/proc/self/task').length : 0)
  for (let i = 0; i < 5; i++) await (await opened(dir)).close()
  const before = threads()
  for (let i = 0; i < 40; i++) {
    const db = await opened(dir)
    await Promise.all([db.query('SELECT 1'), db.close()])
  }
  // The thread that closed the last one has told of it, and ends.
  assert.ok(await comesTrue(() => threads() <= before), `${threads()} threads, ${before} before`)
})

async function opened(dir) {
  const db = open(dir)
  await db.query('SELECT 1')
  return db
}

test('a decoder of the user that asks the next question gets its answer', async (t) => {
  const { customType, sqliteTable } = await import('drizzle-orm/sqlite-core')
  const { RelationalStore } = await import('dotdo/db/relational')
  const { db, store } = pageStore(t)
  const asked = []
  const curious = customType({
    dataType: () => 'text',
    fromDriver: (value) => {
      asked.push(db.query('SELECT id, email FROM users WHERE id=?', [value]))
      return `<${value}>`
    },
  })
  const t2 = sqliteTable('curious', { id: curious('id'), other: curious('other') })
  const other = new RelationalStore(db, { t2 })
  await store.insert(users).values([user('a'), user('b')])
  await other.insert(t2).values([{ id: 'a', other: 'b' }, { id: 'b', other: 'a' }])
  assert.deepEqual(await other.select().from(t2), [{ id: '<a>', other: '<b>' }, { id: '<b>', other: '<a>' }])
  const answers = await Promise.all(asked)
  assert.deepEqual(answers.map(([row]) => row.id), ['a', 'b', 'b', 'a'])
  await turn()
})
