// What a program writes and how it asks, on Drizzle's better-sqlite3 driver and on the store: the same results, and errors from both or from none.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import Database from 'better-sqlite3'
import { and, asc, avg, count, desc, eq, getTableColumns, gt, gte, inArray, isNotNull, lt, max, min, ne, notInArray, sql, sum } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { alias, except, index, integer, intersect, numeric, primaryKey, real, sqliteTable, sqliteView, text, union, unionAll } from 'drizzle-orm/sqlite-core'
import { RelationalStore, open } from 'dotdo/db/relational'
import { extras, isV1 } from '../suite/tables.mjs'

const JUNE = new Date('2026-06-01T00:00:00Z')
let serial = 0

const boats = sqliteTable('boats', {
  id: integer('id').primaryKey({ autoIncrement: true }),
  name: text('name').notNull(),
  kind: text('kind', { enum: ['sail', 'motor'] }).notNull().default('sail'),
  length: real('length').default(7.5),
  isAfloat: integer('is_afloat', { mode: 'boolean' }).notNull().default(true),
  built: integer('built', { mode: 'timestamp' }).default(JUNE),
  rig: text('rig', { mode: 'json' }).default({ masts: 1 }),
  code: text('code').$defaultFn(() => `code ${serial++ % 2}`),
  price: numeric('price'),
  parent: integer('parent'),
}, (t) => extras({ byName: index('boats_by_name').on(t.name) }))
const berths = sqliteTable('berths', {
  pier: text('pier').notNull(),
  place: integer('place').notNull(),
  boat: integer('boat').references(() => boats.id),
  'with space': text('with space'),
  paid: integer('paid').notNull().default(0),
}, (t) => extras({ key: primaryKey({ columns: [t.pier, t.place] }) }))
const trips = sqliteTable('trips', {
  id: integer('id').primaryKey(),
  boat: integer('boat').notNull(),
  miles: integer('miles'),
  touched: integer('touched').$onUpdateFn?.(() => 41) ?? integer('touched'),
})
const tables = { boats, berths, trips }
const names = ['Ada', 'Bora', 'Calm', 'Dawn', 'Ebb']

async function fill(db) {
  serial = 0
  await db.insert(boats).values(names.map((name, i) => ({ name, length: i % 2 ? null : 5 + i, isAfloat: i !== 2, price: String(1000.5 * i), parent: i > 2 ? 1 : null })))
  await db.insert(berths).values([0, 1, 2, 3].map((place) => ({ pier: 'AB'[place % 2], place, boat: place === 3 ? null : place + 1, 'with space': place ? null : 'yes' })))
  await db.insert(trips).values(Array.from({ length: 20 }, (_, i) => ({ id: i + 1, boat: (i % 4) + 1, miles: i % 5 ? i * 3 : null })))
}

const afloat = sqliteView('afloat').as((qb) => qb.select({ id: boats.id, name: boats.name, built: boats.built }).from(boats).where(eq(boats.isAfloat, true)))
const known = sqliteView('afloat', { id: integer('id'), name: text('name') }).existing()
const parent = alias(boats, 'parent')

/** In order: some see what others wrote. Each gives a query on the database that it is given, or the results of several. */
const cases = {
  'an empty list holds nothing': (db) => db.select().from(boats).where(inArray(boats.id, [])),
  'an empty list excludes nothing': (db) => db.select({ id: boats.id }).from(boats).where(notInArray(boats.id, [])).orderBy(boats.id),
  'limit 0': (db) => db.select().from(boats).limit(0),
  'limit -1 is none': (db) => db.select({ id: boats.id }).from(boats).orderBy(boats.id).limit(-1),
  'a limit that is a parameter': (db) => db.select({ id: boats.id }).from(boats).orderBy(boats.id).limit(sql.placeholder('n')).offset(sql.placeholder('from')).prepare(isV1 ? undefined : 'limited').all({ n: 2, from: 1 }),
  'all columns but some': (db) => {
    const { rig, ...rest } = getTableColumns(boats)
    return db.select({ ...rest, upper: sql`upper(${boats.name})` }).from(boats).orderBy(asc(boats.id))
  },
  'ordered by an alias': (db) => db.select({ n: sql`length(${boats.name}) * ${boats.id}`.as('n') }).from(boats).orderBy((row) => desc(row.n)),
  'grouped by a column and an expression': (db) => db.select({ pier: berths.pier, isOut: sql`${berths.boat} is null`, n: count() }).from(berths).groupBy(berths.pier, sql`${berths.boat} is null`).orderBy(berths.pier, sql`2`),
  'having by an alias': (db) => db.select({ boat: trips.boat, far: sql`sum(${trips.miles})`.as('far') }).from(trips).groupBy(trips.boat).having(({ far }) => gt(far, 90)).orderBy(trips.boat),
  'aggregates of nothing': (db) => db.select({ n: count(trips.miles), s: sum(trips.miles), a: avg(trips.miles), lo: min(trips.miles), hi: max(trips.miles) }).from(trips).where(eq(trips.id, -1)),
  'the same table twice': (db) => db.select({ child: boats.name, parent: parent.name }).from(boats).innerJoin(parent, eq(parent.id, boats.parent)).orderBy(boats.id),
  'from an alias alone': (db) => db.select().from(parent).where(eq(parent.id, 2)),
  'a name with a space': (db) => db.select({ it: berths['with space'] }).from(berths).where(isNotNull(berths['with space'])),
  'a subquery joined with a subquery': (db) => {
    const far = db.select({ boat: trips.boat, miles: sql`max(${trips.miles})`.mapWith(Number).as('miles') }).from(trips).groupBy(trips.boat).as('far')
    const moored = db.select({ boat: berths.boat, pier: berths.pier }).from(berths).as('moored')
    return db.select({ name: boats.name, far: { boat: far.boat, miles: far.miles }, pier: moored.pier }).from(boats).leftJoin(far, eq(far.boat, boats.id)).leftJoin(moored, eq(moored.boat, far.boat)).orderBy(boats.id)
  },
  'a subquery as a value': (db) => db.select({ id: boats.id, trips: sql`(${db.select({ n: count() }).from(trips).where(eq(trips.boat, boats.id))})` }).from(boats).orderBy(boats.id),
  'two withs, the second of the first': (db) => {
    const far = db.$with('far').as(db.select({ boat: trips.boat, miles: sql`sum(${trips.miles})`.as('miles') }).from(trips).groupBy(trips.boat))
    const most = db.$with('most').as(db.select({ boat: far.boat }).from(far).where(gt(far.miles, sql`(select avg(miles) from ${far})`)))
    return db.with(far, most).select({ boat: trips.boat, n: count() }).from(trips).where(inArray(trips.boat, db.select({ boat: most.boat }).from(most))).groupBy(trips.boat).orderBy(trips.boat)
  },
  'nested set operations': (db) => union(db.select({ n: boats.id }).from(boats).where(lt(boats.id, 3)), except(db.select({ n: trips.id }).from(trips).where(gte(trips.id, 15)), db.select({ n: trips.id }).from(trips).where(eq(trips.id, 17)))).orderBy(sql`1`),
  'a set operation as a subquery': (db) => {
    const both = intersect(db.select({ n: boats.id }).from(boats), db.select({ n: trips.boat }).from(trips)).as('both')
    return db.select().from(both).orderBy(both.n).limit(2).offset(1)
  },
  'a set operation of another order of columns': (db) => unionAll(db.select({ a: boats.id, b: boats.name }).from(boats), db.select({ b: boats.name, a: boats.id }).from(boats)),
  'a set operation with a callback': (db) => db.select({ n: boats.id }).from(boats).except(({ union }) => union(db.select({ n: boats.id }).from(boats).where(eq(boats.id, 1)), db.select({ n: boats.id }).from(boats).where(eq(boats.id, 4)))).orderBy(boats.id),
  'a view': async (db) => {
    await db.run(sql`create view afloat as select id, name, built from boats where is_afloat`)
    return [await db.select().from(afloat).orderBy(afloat.id), await db.select({ name: known.name }).from(known).where(gt(known.id, 2)).orderBy(known.id)]
  },
  'a view joined': (db) => db.select({ pier: berths.pier, name: known.name }).from(berths).leftJoin(known, eq(known.id, berths.boat)).orderBy(berths.pier, berths.place),
  'a dynamic query': (db) => {
    const page = (query, n) => query.orderBy(boats.id).limit(2).offset(2 * n)
    return page(db.select({ name: boats.name }).from(boats).$dynamic().where(ne(boats.name, 'Calm')), 1)
  },
  'a prepared query, twice': async (db) => {
    const one = db.select().from(boats).where(and(eq(boats.id, sql.placeholder('id')), eq(boats.isAfloat, sql.placeholder('in')))).prepare(isV1 ? undefined : 'one')
    return [await one.all({ id: 1, in: 1 }), await one.get({ id: 3, in: 0 }), await one.get({ id: 99, in: 1 }), await one.values({ id: 2, in: 1 })]
  },
  'nothing by get': (db) => db.select().from(boats).where(eq(boats.id, 99)).get(),
  'raw, joined with built SQL': (db) => db.all(sql`select ${boats.id}, ${boats.name} as ${sql.identifier('the name')} from ${boats} where ${inArray(boats.id, [1, 5])} order by ${sql.raw('1 desc')}`),
  'raw with a list': (db) => db.all(sql`select id from boats where id in ${[2, 4]} order by id`),
  'raw, joined parts': (db) => db.all(sql`select ${sql.join([sql`1`, sql`${'two'}`, sql`null`], sql`, `)}`),
  'a column of a table that is not in the query': (db) => db.select({ id: trips.id }).from(boats),
  'a table that is not there': (db) => db.all(sql`select * from ships`),

  'defaults alone': (db) => db.insert(boats).values({ name: 'Foam' }).returning(),
  'a row of defaults': (db) => db.insert(boats).values([{ name: 'Gale', built: null, rig: null }, { name: 'Haze', kind: 'motor', length: 0 }]).returning(),
  'insert get': (db) => db.insert(trips).values({ id: 50, boat: 1 }).returning().get(),
  'an insert of undefined': (db) => db.insert(trips).values({ id: 51, boat: 1, miles: undefined }).returning(),
  'an insert of nothing': (db) => db.insert(trips).values([]),
  'an update of undefined': (db) => db.update(trips).set({ miles: undefined, boat: 2 }).where(eq(trips.id, 51)).returning({ boat: trips.boat, miles: trips.miles }),
  'an update of nothing': (db) => db.update(trips).set({}),
  'what is set when it is updated': (db) => db.update(trips).set({ miles: sql`coalesce(${trips.miles}, 0) + 1` }).where(gte(trips.id, 50)).returning(),
  'a prepared insert': async (db) => {
    const put = db.insert(trips).values({ id: sql.placeholder('id'), boat: 3, miles: sql.placeholder('miles') }).prepare(isV1 ? undefined : 'put')
    for (const id of [60, 61]) await put.run({ id, miles: id * 2 })
    return db.select({ id: trips.id, miles: trips.miles }).from(trips).where(gte(trips.id, 60)).orderBy(trips.id)
  },
  'a conflict that is let be': (db) => db.insert(berths).values({ pier: 'A', place: 0, paid: 9 }).onConflictDoNothing().returning(),
  'a conflict on a key of two': (db) => db.insert(berths).values({ pier: 'A', place: 0, paid: 9 }).onConflictDoUpdate({ target: [berths.pier, berths.place], set: { paid: sql`${berths.paid} + excluded.paid` } }).returning(),
  'a conflict that breaks': (db) => db.insert(berths).values({ pier: 'A', place: 0 }),
  'a reference to nothing': (db) => db.insert(berths).values({ pier: 'Z', place: 1, boat: 999 }),
  'a null where none may be': (db) => db.insert(boats).values({ name: null }),
  'insert and select': async (db) => {
    if (db.insert(trips).select === undefined) return undefined
    return db.insert(trips).select(db.select({ id: sql`${boats.id} + 200`.as('id'), boat: boats.id, miles: sql`7`.as('miles'), touched: sql`null`.as('touched') }).from(boats).where(lt(boats.id, 3))).returning({ id: trips.id, boat: trips.boat })
  },
  'update with a with': (db) => {
    const far = db.$with('far').as(db.select({ boat: trips.boat }).from(trips).groupBy(trips.boat).having(gt(count(), 6)))
    return db.with(far).update(boats).set({ kind: 'motor' }).where(inArray(boats.id, db.select({ boat: far.boat }).from(far))).returning({ id: boats.id, kind: boats.kind })
  },
  'delete with a with, and limit of none': (db) => {
    const old = db.$with('old').as(db.select({ id: trips.id }).from(trips).where(gt(trips.id, 200)))
    return db.with(old).delete(trips).where(inArray(trips.id, db.select({ id: old.id }).from(old))).returning({ id: trips.id })
  },
  'update from': (db) => {
    const update = db.update(boats).set({ price: sql`${berths.paid} * 10` })
    return update.from === undefined ? undefined : update.from(berths).where(and(eq(berths.boat, boats.id), eq(berths.pier, 'A'))).returning({ id: boats.id, price: boats.price })
  },
  'how many, by the shortcut': async (db) => {
    if (db.$count === undefined) return undefined
    return [await db.$count(trips), await db.$count(trips, gt(trips.miles, 30)), await db.select({ id: boats.id, n: db.$count(trips, eq(trips.boat, boats.id)) }).from(boats).orderBy(boats.id)]
  },
  'cross join': (db) => {
    const query = db.select({ b: boats.id, pier: berths.pier }).from(boats)
    return query.crossJoin === undefined ? undefined : query.crossJoin(berths).where(lt(boats.id, 3)).orderBy(boats.id, berths.pier, berths.place)
  },
  'relations by columns, condition, order and page': (db) => db.query.boats.findMany({ columns: { id: true, name: true, built: true }, where: isV1 ? { id: { gt: 2 } } : gt(boats.id, 2), orderBy: isV1 ? { name: 'desc' } : desc(boats.name), limit: 3, offset: 1 }),
  'relations, first of none': (db) => db.query.boats.findFirst({ where: isV1 ? { id: 999 } : eq(boats.id, 999) }),
  'relations with an expression': (db) => db.query.boats.findMany({ columns: { id: true }, extras: isV1 ? { loud: (t, { sql }) => sql`upper(${t.name})` } : { loud: sql`upper(${boats.name})`.as('loud') }, orderBy: isV1 ? { id: 'asc' } : asc(boats.id) }),
  'all that is left': (db) => Promise.all([db.select().from(boats).orderBy(boats.id), db.select().from(berths).orderBy(berths.pier, berths.place), db.select().from(trips).orderBy(trips.id)]),
}

/** What a case gives, or that it fails. */
async function outcome(run, db) {
  try {
    return { gives: await run(db) }
  } catch {
    return { fails: true }
  }
}

test('each statement does the same', async (t) => {
  const db = open(':memory:')
  t.after(() => db.close())
  const config = isV1 ? { relations: (await import('drizzle-orm')).defineRelations(tables, () => ({})) } : {}
  const ours = new RelationalStore(db, tables, config)
  const client = new Database(':memory:')
  client.pragma('foreign_keys = ON')
  // The tables as the store has made them.
  for (const { sql: create } of await db.query("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE '\\_rs%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'")) client.exec(create)
  const theirs = isV1 ? drizzle({ client, ...config }) : drizzle(client, { schema: tables })
  await fill(theirs)
  await fill(ours)
  let compared = 0
  for (const [name, run] of Object.entries(cases)) {
    await t.test(name, async () => {
      serial = 0
      const expected = await outcome(run, theirs)
      serial = 0
      const found = await outcome(run, ours)
      assert.deepStrictEqual(found, expected)
      // The order of keys too.
      assert.equal(JSON.stringify(found), JSON.stringify(expected))
      if (expected.gives !== undefined) compared++
    })
  }
  assert.ok(compared > 35, `${compared} of ${Object.keys(cases).length} gave something`)
})
