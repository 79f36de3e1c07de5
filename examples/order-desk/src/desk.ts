// One tenant's desk: its store, and what can be done at it.

import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'

import { RelationalStore, RelationalStoreError, open } from 'dotdo/db/relational'
import type { Database } from 'dotdo/db/relational'
import { migrate } from 'dotdo/db/relational/migrate'
import { and, desc, eq, gte, sql } from 'drizzle-orm'

import * as schema from './schema.js'
import { customers, orderLines, orders, products } from './schema.js'

export type DeskStore = RelationalStore<typeof schema>

const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url))

/** More was wanted than there is. */
export class OutOfStock extends Error {
  constructor(
    readonly product: string,
    readonly wanted: number,
    readonly left: number,
  ) {
    super(`${wanted} of ${product} are wanted, and ${left} are left`)
  }
}

export interface Wanted {
  product: string
  quantity: number
}

export class OrderDesk {
  private constructor(
    readonly tenant: string,
    readonly db: Database,
    readonly store: DeskStore,
  ) {}

  /** Each tenant has a store, one SQLite file, of its own in the same folder. */
  static async open(dir: string, tenant: string): Promise<OrderDesk> {
    const db = open(dir, { ns: tenant })
    // First: what is applied already is not applied again.
    await migrate(db, { migrationsFolder: MIGRATIONS })
    return new OrderDesk(tenant, db, new RelationalStore(db, schema))
  }

  /** Puts a product on the shelf, or more of it. */
  async stock(id: string, name: string, price: number, stock: number): Promise<void> {
    await this.store
      .insert(products)
      .values({ id, name, price, stock })
      .onConflictDoUpdate({ target: products.id, set: { name, price, stock } })
  }

  /** Notes a customer; `false` if the address is known already. */
  async register(id: string, name: string, email: string): Promise<boolean> {
    try {
      await this.store.insert(customers).values({ id, name, email })
      return true
    } catch (error) {
      // An error says what broke, by SQLite's code, table and column.
      if (!(error instanceof RelationalStoreError) || error.table !== 'customers') throw error
      if (error.code === 'SQLITE_CONSTRAINT_UNIQUE' || error.code === 'SQLITE_CONSTRAINT_PRIMARYKEY') return false
      throw error
    }
  }

  /**
   * Places an order, wholly or not at all: whatever is thrown in the transaction undoes it. `charge` is another system's, and is awaited in it;
   * nobody else writes to this tenant's store meanwhile, and everybody may read.
   */
  async place(customer: string, wanted: readonly Wanted[], charge: (cents: number) => Promise<void>, note?: string): Promise<string> {
    return this.store.transaction(async (tx) => {
      const id = randomUUID()
      const lines = []
      for (const { product, quantity } of wanted) {
        const [taken] = await tx
          .update(products)
          .set({ stock: sql`${products.stock} - ${quantity}` })
          .where(and(eq(products.id, product), gte(products.stock, quantity)))
          .returning()
        if (taken === undefined) {
          const [there] = await tx.select({ left: products.stock }).from(products).where(eq(products.id, product))
          throw new OutOfStock(product, quantity, there?.left ?? 0)
        }
        lines.push({ orderId: id, productId: product, quantity, price: taken.price })
      }
      const total = lines.reduce((sum, line) => sum + line.price * line.quantity, 0)
      await tx.insert(orders).values({ id, customerId: customer, placedAt: new Date(), total, note })
      await tx.insert(orderLines).values(lines)
      await charge(total)
      return id
    })
  }

  /** The orders of a customer with what was in them, the dearest first. */
  async ordersOf(customer: string) {
    return this.store.query.orders.findMany({
      where: eq(orders.customerId, customer),
      orderBy: desc(orders.total),
      with: { customer: { columns: { name: true } }, lines: { with: { product: { columns: { name: true } } } } },
    })
  }

  /** How much of each product was sold. */
  async sold() {
    const pieces = sql<number>`sum(${orderLines.quantity})`
    return this.store
      .select({ product: products.name, pieces: pieces.as('pieces'), left: products.stock })
      .from(orderLines)
      .innerJoin(products, eq(products.id, orderLines.productId))
      .groupBy(products.id)
      .orderBy(desc(pieces), products.name)
  }

  async close(): Promise<void> {
    await this.db.close()
  }
}
