// An order desk for two tenants. Run it again: it goes on with what the last run left.

import { RelationalStoreError, openFleet } from 'dotdo/db/relational'
import { sql } from 'drizzle-orm'

import { OrderDesk, OutOfStock } from './desk.js'
import { keepRevenue } from './revenue.js'
import { orders, revenueByDay } from './schema.js'

const dir = process.argv[2] ?? './data'
const money = (cents: number) => (cents / 100).toFixed(2)
const say = (desk: OrderDesk, text: string) => console.log(`${desk.tenant}: ${text}`)

/** A card company that takes a moment, and refuses large sums. */
async function charge(cents: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5))
  if (cents > 100_000) throw new Error(`the card is not good for ${money(cents)}`)
}

async function openDesk(tenant: string): Promise<OrderDesk> {
  const desk = await OrderDesk.open(dir, tenant)
  // Hears of each change once it is committed. What is rolled back is never heard of.
  desk.store.onCDCEvent((event) => say(desk, `event ${event.lsn} ${event.type} ${event.table} ${event.key}`), { tables: ['orders', 'products'] })
  return desk
}

/** Tries to place an order, and says what came of it. */
async function order(desk: OrderDesk, customer: string, wanted: Record<string, number>, note?: string): Promise<string | undefined> {
  const lines = Object.entries(wanted).map(([product, quantity]) => ({ product, quantity }))
  const what = lines.map(({ product, quantity }) => `${quantity} ${product}`).join(', ')
  try {
    const id = await desk.place(customer, lines, charge, note)
    say(desk, `order of ${what} for ${customer} is placed`)
    return id
  } catch (error) {
    if (error instanceof OutOfStock) say(desk, `order of ${what} for ${customer} is refused: ${error.message}`)
    else if (error instanceof RelationalStoreError && error.code === 'SQLITE_CONSTRAINT_FOREIGNKEY') say(desk, `order of ${what} is refused: nobody knows ${customer}`)
    else if (error instanceof RelationalStoreError) throw error
    else say(desk, `order of ${what} for ${customer} is refused: ${(error as Error).message}`)
    return undefined
  }
}

const [north, south] = [await openDesk('north'), await openDesk('south')]

for (const desk of [north, south]) {
  await desk.stock('mug', 'Mug', 950, 40)
  await desk.stock('tea', 'Green tea, 100 g', 720, 25)
  await desk.stock('kettle', 'Copper kettle', 18_900, 6)
}
const isNew = await north.register('ada', 'Ada', 'ada@example.com')
say(north, isNew ? 'Ada is registered' : 'Ada is known from an earlier run')
if (!(await north.register('ada-2', 'Ada', 'ada@example.com'))) say(north, 'ada@example.com is taken')
await north.register('bob', 'Bob', 'bob@example.com')
// Another tenant has customers of its own.
await south.register('cleo', 'Cleo', 'cleo@example.com')

/** Where the tenant's log is before this run's orders. */
const began = north.db.lsn

// The first is placed while nobody counts: the loop finds it when it begins.
const placed = [await order(north, 'ada', { mug: 2, tea: 1 }, 'a present')]
const counted = new Set<string>()
let wake = () => {}
const counting = keepRevenue(north.store, (id) => {
  counted.add(id)
  wake()
})

// These come at the same time. Each sees the stock that the one before left.
placed.push(...(await Promise.all([order(north, 'bob', { tea: 20 }), order(north, 'ada', { tea: 20 }), order(north, 'bob', { kettle: 1 })])))
await order(north, 'ada', { kettle: 5, mug: 38 })
await order(north, 'nobody', { mug: 1 })
await order(south, 'cleo', { mug: 3 })

// All that was placed is counted before the desk closes.
while (placed.some((id) => id !== undefined && !counted.has(id))) await new Promise<void>((resolve) => (wake = resolve))

console.log('\nSummary')
for (const desk of [north, south]) {
  const [all] = await desk.store.select({ count: sql<number>`count(*)`, total: sql<number>`coalesce(sum(${orders.total}), 0)` }).from(orders)
  say(desk, `${all!.count} orders, ${money(all!.total)} in all`)
  for (const { product, pieces, left } of await desk.sold()) say(desk, `${pieces} × ${product} sold, ${left} left`)
}
for (const { customer, total, note, lines } of await north.ordersOf('ada')) {
  say(north, `${customer.name} ordered ${lines.map(({ quantity, product }) => `${quantity} × ${product.name}`).join(', ')} for ${money(total)}${note === null ? '' : ` (${note})`}`)
}
for (const { day, orders: count, revenue } of await north.store.select().from(revenueByDay)) say(north, `revenue of ${day}: ${money(revenue)} from ${count} orders`)

// The store as it was, by the same tables; its history is archived first.
const before = await north.store.asOf(began)
say(north, `${await before.$count(orders)} orders before this run`)
await before.close()

// All tenants at once, from the history of each.
const fleet = openFleet(dir)
await fleet.archive()
const perTenant = await fleet.query<{ tenant: string; orders: number; revenue: number }>(
  'SELECT _ns AS tenant, count(*) AS orders, sum(total) AS revenue FROM orders GROUP BY _ns ORDER BY _ns',
)
for (const { tenant, orders: count, revenue } of perTenant) console.log(`all tenants: ${tenant} has ${count} orders for ${money(revenue)}`)

await fleet.close()
await north.close()
await south.close()
await counting
