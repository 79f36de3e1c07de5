// The process ends, or a thread of it, while the tiers are at work. Nothing of it brings the process down, and nothing is left behind.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { open, openFleet } from 'dotdo/db/relational'
import { run } from './program.mjs'
import { folder } from './tables.mjs'

/** A store with some rows, in `dir`, whose temporary folders are in `tmp`. */
const FILLED = `
const fleet = openFleet(dir)
const db = fleet.open('acme')
const store = new RelationalStore(db, { users })
await store.run(sql\`WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 20000) INSERT INTO users SELECT 'u' || n FROM i\`)
`

/** Runs a program that is to leave nothing in the folder for temporary ones. */
function tidily(program, dir = folder()) {
  const tmp = join(dir, '..', `tmp-${Math.random().toString(36).slice(2)}`)
  mkdirSync(tmp)
  const ended = run(program, dir, { TMPDIR: tmp })
  assert.deepEqual(readdirSync(tmp), [], ended.stderr)
  return { ...ended, dir }
}

test('a process ends by itself when the tiers are done, and past stores with it', () => {
  const { status, said, stderr } = tidily(`${FILLED}
const memory = openFleet(':memory:')
await fleet.archive()
const old = await store.asOf(db.lsn)
console.log((await old.execute('SELECT count(*) AS n FROM users'))[0].n, (await fleet.query('SELECT count(*) AS n FROM users'))[0].n)`)
  assert.deepEqual([status, said], [0, '20000 20000'], stderr)
})

test('process.exit while the tiers are at work, after any time', async () => {
  for (const ms of [0, 5, 20, 50, 100, 200]) {
    const { status, stderr, dir } = tidily(`${FILLED}
const quiet = () => {}
store.archive().catch(quiet)
store.asOf(db.lsn).catch(quiet)
store.view('v', sql\`SELECT '2026-01-01' AS day, id FROM users\`, { partitionBy: 'day' }).catch(quiet)
fleet.archive().catch(quiet)
fleet.query('SELECT count(*) FROM users a CROSS JOIN users b').catch(quiet)
setTimeout(() => process.exit(4), ${ms})`)
    assert.equal(status, 4, `${ms} ms: ${stderr}`)
    // Whatever was done by then: the next archive does the rest, and nothing twice.
    const fleet = openFleet(dir)
    await fleet.archive()
    assert.deepEqual(await fleet.query('SELECT count(*) AS n, count(DISTINCT id) AS ids, (SELECT count(*) FROM history.users) AS ever FROM users'), [{ n: 20000, ids: 20000, ever: 20000 }])
    await fleet.close()
  }
})

test('process.exit while an archive waits for a transaction that never ends', () => {
  const begun = Date.now()
  const { status, stderr } = tidily(`${FILLED}
let isOpen
const opened = new Promise((resolve) => (isOpen = resolve))
store.transaction(async (tx) => { await tx.delete(users); isOpen(); await new Promise(() => {}) }).catch(() => {})
await opened
// Older and younger than the store: they end in another order.
for (const one of [fleet, store, openFleet(dir)]) one.archive().catch(() => {})
setTimeout(() => process.exit(5), 150)`)
  assert.equal(status, 5, stderr)
  assert.ok(Date.now() - begun < 25_000)
})

test('a worker thread is terminated while it archives, and while it has a transaction open that others wait for', () => {
  const { status, said, stderr } = tidily(`${FILLED}
import { Worker } from 'node:worker_threads'
await db.close()
for (const what of ['store.archive()', 'fleet.archive()', 'fleet.query("SELECT count(*) FROM users a CROSS JOIN users b")', 'store.asOf(db.lsn)',
  'store.transaction(async (tx) => { await tx.run(sql.raw("DELETE FROM users")); other.archive().catch(() => {}); store.archive().catch(() => {}); await new Promise(() => {}) })']) {
  await new Promise((resolve) => {
    const worker = new Worker(\`
      const { parentPort, workerData } = require('node:worker_threads')
      const { RelationalStore, openFleet } = require('dotdo/db/relational')
      const { sql } = require('drizzle-orm')
      const fleet = openFleet(workerData), other = openFleet(workerData), db = fleet.open('acme')
      const store = new RelationalStore(db, {})
      \${what}.catch(() => {})
      parentPort.postMessage(1)
      setInterval(() => {}, 1000)\`, { eval: true, workerData: dir })
    worker.on('message', () => setTimeout(() => worker.terminate(), 30))
    worker.on('error', (e) => console.error(e))
    worker.on('exit', resolve)
  })
}
const again = fleet.open('acme')
await fleet.archive()
console.log((await again.query('SELECT count(*) AS n FROM users'))[0].n, (await fleet.query('SELECT count(*) AS n FROM users'))[0].n)`)
  assert.deepEqual([status, said], [0, '20000 20000'], stderr)
})

test('the command reads the folder, and what it archives is there', { skip: !existsSync(process.env.RELSTORE ?? '') }, async () => {
  const dir = folder()
  const relstore = (...args) => {
    const { status, stdout, stderr } = spawnSync(process.env.RELSTORE, args, { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    return JSON.parse(stdout)
  }
  const db = open(dir, { ns: 'acme' })
  await db.query('CREATE TABLE t(id INTEGER PRIMARY KEY, word TEXT)')
  await db.query("INSERT INTO t VALUES(1, 'one'), (2, 'two')")
  assert.deepEqual(relstore('sql', '--dir', dir, '--ns', 'acme', '--json', 'SELECT word FROM t ORDER BY id'), [{ word: 'one' }, { word: 'two' }])
  const fleet = openFleet(dir)
  await fleet.archive()
  assert.deepEqual(relstore('query', '--dir', dir, '--json', 'SELECT _ns, word FROM t ORDER BY id'), [{ _ns: 'acme', word: 'one' }, { _ns: 'acme', word: 'two' }])
  await db.close()
  relstore('sql', '--dir', dir, '--ns', 'acme', '--json', "INSERT INTO t VALUES(3, 'three') RETURNING id")
  relstore('query', '--dir', dir, '--json', 'SELECT 1 AS one')
  assert.deepEqual(await fleet.query('SELECT word FROM t WHERE id = 3'), [{ word: 'three' }])
  await fleet.close()
})
