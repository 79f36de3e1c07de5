// The same queries on Drizzle's better-sqlite3 driver and on the store give the same, the rows' order of keys included.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import Database from 'better-sqlite3'
import * as orm from 'drizzle-orm'
import { and, asc, avg, between, count, countDistinct, desc, eq, exists, gt, inArray, isNull, like, max, min, ne, not, notInArray, or, sql, sum } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import * as core from 'drizzle-orm/sqlite-core'
import { alias, blob, customType, except, integer, intersect, real, sqliteTable, text, union, unionAll } from 'drizzle-orm/sqlite-core'
import { RelationalStore, open } from 'dotdo/db/relational'

const isV1 = 'SQLiteAsyncDatabase' in core
const shout = customType({ dataType: () => 'text', toDriver: (v) => v.toLowerCase(), fromDriver: (v) => v.toUpperCase() })
const nothing = customType({ dataType: () => 'text', fromDriver: (v) => (v === 'none' ? null : v) })

const people = sqliteTable('people', {
  id: integer('id').primaryKey(),
  name: text('name').notNull(),
  loud: shout('loud'),
  maybe: nothing('maybe'),
  boss: integer('boss'),
  born: integer('born', { mode: 'timestamp' }),
  seen: integer('seen', { mode: 'timestamp_ms' }),
  isIn: integer('is_in', { mode: 'boolean' }),
  height: real('height'),
  tags: text('tags', { mode: 'json' }),
  photo: blob('photo', { mode: 'buffer' }),
  big: blob('big', { mode: 'bigint' }),
  meta: blob('meta', { mode: 'json' }),
})
const teams = sqliteTable('teams', { id: integer('id').primaryKey(), title: text('title'), lead: integer('lead').references(() => people.id) })
const members = sqliteTable('members', { team: integer('team').notNull(), person: integer('person').notNull(), since: integer('since', { mode: 'timestamp' }) })
const tables = { people, teams, members }

const CREATE = `CREATE TABLE people(id integer PRIMARY KEY, name text NOT NULL, loud text, maybe text, boss integer, born integer, seen integer, is_in integer, height real, tags text, photo blob, big blob, meta blob);
CREATE TABLE teams(id integer PRIMARY KEY, title text, lead integer REFERENCES people(id));
CREATE TABLE members(team integer NOT NULL, person integer NOT NULL, since integer)`

const rows = Array.from({ length: 60 }, (_, i) => ({
  id: i + 1,
  name: ['Ann', 'Bob', 'Çid', 'Dörte', '𝄞 Eve'][i % 5] + i,
  loud: i % 4 ? `word${i}` : null,
  maybe: i % 3 ? 'none' : `some${i}`,
  boss: i % 7 ? (i % 5) + 1 : null,
  born: i % 6 ? new Date((i - 30) * 86_400_000) : null,
  seen: i % 5 ? new Date(1.7e12 + i) : null,
  isIn: i % 3 === 0 ? null : i % 2 === 0,
  height: i % 4 ? i / 3 : null,
  tags: i % 5 ? { n: i, list: ['a', null, { b: i }] } : null,
  photo: i % 3 ? Buffer.from([i, 255 - i, 0]) : null,
  big: i % 4 ? BigInt(i) ** 20n : null,
  meta: i % 4 ? [i, 'x'] : null,
}))

async function fill(db) {
  await db.insert(people).values(rows)
  await db.insert(teams).values([{ id: 1, title: 'Red', lead: 1 }, { id: 2, title: null, lead: null }, { id: 3, title: 'Blue', lead: 3 }])
  await db.insert(members).values(rows.flatMap((p) => (p.id % 2 ? [{ team: (p.id % 3) + 1, person: p.id, since: p.id % 4 ? new Date(p.id * 1000) : null }] : [])))
}

const boss = alias(people, 'boss')

/** Each gives a query on the database that it is given. */
const queries = {
  'whole rows': (db) => db.select().from(people).orderBy(people.id),
  'one row': (db) => db.select().from(people).where(eq(people.id, 7)).get(),
  'no row': (db) => db.select().from(people).where(eq(people.id, 700)).get(),
  'no rows': (db) => db.select().from(people).where(eq(people.id, 700)),
  values: (db) => db.select({ id: people.id, tags: people.tags, photo: people.photo }).from(people).orderBy(people.id).limit(5).values(),
  'partly, nested': (db) => db.select({ who: { id: people.id, called: people.name }, born: people.born, n: sql`${people.id} + 1` }).from(people).orderBy(people.id),
  'left join': (db) => db.select().from(people).leftJoin(members, eq(members.person, people.id)).orderBy(people.id),
  'right join': (db) => db.select().from(members).rightJoin(teams, eq(members.team, teams.id)).orderBy(teams.id, members.person),
  'full join': (db) => db.select().from(members).fullJoin(teams, and(eq(members.team, teams.id), gt(members.person, 30))).orderBy(teams.id, members.person),
  'inner join of three': (db) => db.select().from(members).innerJoin(people, eq(people.id, members.person)).innerJoin(teams, eq(teams.id, members.team)).orderBy(people.id),
  'join with itself': (db) => db.select().from(people).leftJoin(boss, eq(people.boss, boss.id)).orderBy(people.id),
  'joined objects of chosen columns': (db) => db.select({ p: people.name, t: { title: teams.title, lead: teams.lead }, m: { since: members.since, person: people.id } }).from(people).leftJoin(members, eq(members.person, people.id)).leftJoin(teams, eq(teams.id, members.team)).orderBy(people.id),
  'joined object whose first column decodes to null': (db) => db.select({ t: teams.id, p: { maybe: people.maybe, name: people.name } }).from(teams).leftJoin(people, eq(people.id, teams.lead)).orderBy(teams.id),
  'joined object with an expression first': (db) => db.select({ t: teams.id, p: { e: sql`1`, name: people.name } }).from(teams).leftJoin(people, eq(people.id, teams.lead)).orderBy(teams.id),
  'joined table and subquery': (db) => {
    const sub = db.select({ person: members.person, n: count().as('n') }).from(members).groupBy(members.person).as('sub')
    return db.select({ id: people.id, sub: { n: sub.n, person: sub.person } }).from(people).leftJoin(sub, eq(sub.person, people.id)).orderBy(people.id)
  },
  aggregates: (db) => db.select({ n: count(), d: countDistinct(people.boss), s: sum(people.id), a: avg(people.height), lo: min(people.born), hi: max(people.seen) }).from(people),
  groups: (db) => db.select({ boss: people.boss, n: count(), born: max(people.born) }).from(people).groupBy(people.boss).having(gt(count(), 3)).orderBy(people.boss),
  mapped: (db) => db.select({ d: sql`${people.id}`.mapWith((v) => `<${v}>`), b: sql`${people.born}`.mapWith(people.born) }).from(people).orderBy(people.id).limit(9),
  conditions: (db) => db.select({ id: people.id }).from(people).where(or(and(ne(people.boss, 2), like(people.name, '%n%')), isNull(people.born), between(people.id, 5, 9), not(notInArray(people.id, [1, 2])))).orderBy(desc(people.id)),
  exists: (db) => db.select({ id: people.id }).from(people).where(exists(db.select().from(members).where(eq(members.person, people.id)))).orderBy(asc(people.id)),
  'in a subquery': (db) => db.select({ id: people.id }).from(people).where(inArray(people.id, db.select({ id: members.person }).from(members))).orderBy(people.id),
  dates: (db) => db.select({ id: people.id }).from(people).where(gt(people.born, new Date(0))).orderBy(people.id),
  booleans: (db) => db.select({ id: people.id }).from(people).where(eq(people.isIn, true)).orderBy(people.id),
  custom: (db) => db.select({ id: people.id, loud: people.loud }).from(people).where(eq(people.loud, 'WORD5')),
  with: (db) => {
    const led = db.$with('led').as(db.select({ lead: teams.lead, title: teams.title }).from(teams))
    return db.with(led).select().from(led).leftJoin(people, eq(people.id, led.lead)).orderBy(sql`1`)
  },
  union: (db) => union(db.select({ n: people.id }).from(people), db.select({ n: teams.id }).from(teams)).orderBy(sql`1`).limit(50),
  'union all': (db) => unionAll(db.select({ n: teams.id, t: teams.title }).from(teams), db.select({ n: people.id, t: people.name }).from(people)).orderBy(sql`1, 2`),
  intersect: (db) => intersect(db.select({ n: people.id }).from(people), db.select({ n: members.person }).from(members)).orderBy(sql`1`),
  except: (db) => except(db.select({ n: people.id }).from(people), db.select({ n: members.person }).from(members)).orderBy(sql`1`),
  distinct: (db) => db.selectDistinct({ boss: people.boss, isIn: people.isIn }).from(people).orderBy(people.boss, people.isIn),
  pages: (db) => db.select().from(people).orderBy(people.id).limit(3).offset(55),
  'raw all': (db) => db.all(sql`SELECT id, name AS n, photo, height FROM people ORDER BY id LIMIT 7`),
  'raw get': (db) => db.get(sql`SELECT id, born, photo FROM people WHERE id = ${4}`),
  'raw values': (db) => db.values(sql`SELECT id, name, NULL, 1.5, x'00ff' FROM people ORDER BY id LIMIT 3`),
  'insert returning': (db) => db.insert(people).values({ ...rows[8], id: 100, name: 'new' }).returning(),
  'insert of several, returning chosen': (db) => db.insert(people).values([{ id: 101, name: 'x', tags: [1] }, { id: 102, name: 'y', isIn: false }]).returning({ id: people.id, tags: people.tags, in: people.isIn }),
  upsert: (db) => db.insert(people).values({ id: 100, name: 'other' }).onConflictDoUpdate({ target: people.id, set: { name: sql`excluded.name || '!'` } }).returning({ name: people.name }),
  'update returning': (db) => db.update(people).set({ born: new Date(5000), tags: { t: true }, isIn: true, big: 2n ** 80n }).where(gt(people.id, 99)).returning(),
  'delete returning': (db) => db.delete(people).where(gt(people.id, 99)).returning({ id: people.id, big: people.big }),
  'count after all': (db) => db.select({ n: count() }).from(people),
}

const relational = isV1
  ? {
      'relations, many': (db) => db.query.people.findMany({ with: { memberships: true }, orderBy: { id: 'asc' }, limit: 20 }),
      'relations, one, chosen columns': (db) => db.query.teams.findMany({ columns: { title: true }, with: { leader: { columns: { name: true, born: true, isIn: true, tags: true } } }, orderBy: { id: 'asc' } }),
    }
  : {
      'relations, many': (db) => db.query.people.findMany({ with: { memberships: true }, orderBy: (p, { asc }) => asc(p.id), limit: 20 }),
      'relations, one, chosen columns': (db) => db.query.teams.findMany({ columns: { title: true }, with: { leader: { columns: { name: true, born: true, isIn: true, tags: true } } }, orderBy: (t, { asc }) => asc(t.id) }),
    }

/** The relations, as each generation has them. */
function related() {
  if (isV1) {
    const relations = orm.defineRelations(tables, (r) => ({ people: { memberships: r.many.members({ from: r.people.id, to: r.members.person }) }, teams: { leader: r.one.people({ from: r.teams.lead, to: r.people.id }) } }))
    return { schema: tables, config: { relations } }
  }
  const more = {
    ofPeople: orm.relations(people, ({ many }) => ({ memberships: many(members) })),
    ofMembers: orm.relations(members, ({ one }) => ({ who: one(people, { fields: [members.person], references: [people.id] }) })),
    ofTeams: orm.relations(teams, ({ one }) => ({ leader: one(people, { fields: [teams.lead], references: [people.id] }) })),
  }
  return { schema: { ...tables, ...more }, config: {} }
}

test('each query gives the same, in order, also the second time', async (t) => {
  const client = new Database(':memory:')
  client.pragma('foreign_keys = ON')
  client.exec(CREATE)
  const { schema, config } = related()
  const theirs = isV1 ? drizzle({ client, ...config }) : drizzle(client, { schema })
  const db = open(':memory:')
  t.after(() => db.close())
  const ours = new RelationalStore(db, schema, config)
  await fill(theirs)
  await fill(ours)
  for (const [name, query] of Object.entries({ ...relational, ...queries })) {
    await t.test(name, async () => {
      const expected = await query(theirs)
      const found = await query(ours)
      assert.deepStrictEqual(found, expected)
      const keys = (value) => JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v))
      assert.equal(keys(found), keys(expected))
      if (!/insert|update|upsert|delete/.test(name)) assert.deepStrictEqual(await query(ours), expected)
    })
  }
})
