// The tables, as Drizzle has them. migrations/ makes them; a store that differs from this is refused when it is opened.

import { relations } from 'drizzle-orm'
import { integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

export const customers = sqliteTable('customers', {
  id: text('id').primaryKey(),
  email: text('email').notNull().unique(),
  name: text('name').notNull(),
})

export const products = sqliteTable('products', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  /** In cents. */
  price: integer('price').notNull(),
  stock: integer('stock').notNull(),
})

export const orders = sqliteTable('orders', {
  id: text('id').primaryKey(),
  customerId: text('customer_id')
    .notNull()
    .references(() => customers.id),
  placedAt: integer('placed_at', { mode: 'timestamp' }).notNull(),
  total: integer('total').notNull(),
  note: text('note'),
})

export const orderLines = sqliteTable(
  'order_lines',
  {
    orderId: text('order_id')
      .notNull()
      .references(() => orders.id),
    productId: text('product_id')
      .notNull()
      .references(() => products.id),
    quantity: integer('quantity').notNull(),
    /** Of one piece, as it was when it was ordered. */
    price: integer('price').notNull(),
  },
  (table) => [primaryKey({ columns: [table.orderId, table.productId] })],
)

/** What src/revenue.ts makes of the orders, and how far it has come. */
export const revenueByDay = sqliteTable('revenue_by_day', {
  day: text('day').primaryKey(),
  orders: integer('orders').notNull(),
  revenue: integer('revenue').notNull(),
})
export const progress = sqliteTable('progress', {
  name: text('name').primaryKey(),
  lsn: integer('lsn').notNull(),
})

export const orderRelations = relations(orders, ({ one, many }) => ({
  customer: one(customers, { fields: [orders.customerId], references: [customers.id] }),
  lines: many(orderLines),
}))

export const orderLineRelations = relations(orderLines, ({ one }) => ({
  order: one(orders, { fields: [orderLines.orderId], references: [orders.id] }),
  product: one(products, { fields: [orderLines.productId], references: [products.id] }),
}))
