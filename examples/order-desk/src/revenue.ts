// Revenue by day, kept by a loop over the store's commits. Its cursor is in the store: after a restart it goes on where it was.

import { RelationalStoreError } from 'dotdo/db/relational'
import { eq, sql } from 'drizzle-orm'

import type { DeskStore } from './desk.js'
import { progress, revenueByDay } from './schema.js'

const NAME = 'revenue'

/** Runs until the store is closed. `heard` is told of each order that was counted. */
export async function keepRevenue(store: DeskStore, heard: (orderId: string) => void): Promise<void> {
  try {
    for await (const commit of store.changes({ name: NAME, from: 0, tables: ['orders'] })) {
      const placed = commit.events.filter((event) => event.op === 'c')
      // A commit is given again if the process ended before the loop came back for the next one. What was counted is in the same
      // transaction as how far that is, so that nothing is counted twice.
      await store.transaction(async (tx) => {
        const [reached] = await tx.select().from(progress).where(eq(progress.name, NAME))
        if (reached !== undefined && commit.lsn <= reached.lsn) return
        for (const { timestamp, after } of placed) {
          const [day, revenue] = [timestamp.slice(0, 10), Number(after?.['total'])]
          await tx
            .insert(revenueByDay)
            .values({ day, orders: 1, revenue })
            .onConflictDoUpdate({
              target: revenueByDay.day,
              set: { orders: sql`${revenueByDay.orders} + 1`, revenue: sql`${revenueByDay.revenue} + ${revenue}` },
            })
        }
        const position = { name: NAME, lsn: commit.lsn }
        await tx.insert(progress).values(position).onConflictDoUpdate({ target: progress.name, set: position })
      })
      for (const { key } of placed) heard(key!)
    }
  } catch (error) {
    // The store was closed in the middle of a commit: it is given again next time.
    if (!(error instanceof RelationalStoreError && error.kind === 'Closed')) throw error
  }
}
