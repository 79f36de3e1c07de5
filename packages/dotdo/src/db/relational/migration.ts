// Migrations: inline ones on their transaction, and the history.

import { MigrationExecutor, runInside } from '../../engine/database.js'
import type { Database } from '../../engine/database.js'
import { crossing } from '../../engine/error.js'

/** A migration that is in force. */
export interface AppliedMigration {
  version: number
  appliedAt: Date
  /** Its name: of a folder's migration that of its file, of an inline one `version N`. */
  name: string
  /** `folder`, `inline`, or `adopted` if Drizzle's own migrator had applied it. */
  kind: string
}

interface Document {
  version: number
  name: string
  kind: string
  appliedAt: number
  rolledBackAt: number | null
}

/** The migrations that are in force. */
export function appliedMigrations(database: Database): AppliedMigration[] {
  database.checkOpen()
  const all = JSON.parse(crossing(() => database.native.migrations())) as Document[]
  return all.filter((m) => m.rolledBackAt === null).map((m) => applied(m))
}

export function applied({ version, name, kind, appliedAt }: Document): AppliedMigration {
  return { version, appliedAt: new Date(appliedAt), name, kind }
}

/** Runs one direction of an inline migration in its transaction. */
export async function runMigration(
  database: Database,
  version: number,
  isBack: boolean,
  body: (executor: MigrationExecutor) => Promise<void>,
): Promise<void> {
  await database.exclusively(async () => {
    const { native: store, workers } = database
    const native = await workers.do(() => store.beginMigration(version, isBack), (job) => store.takeMigration(job))
    if (native === null) return
    const executor = new MigrationExecutor(database, native)
    try {
      await runInside(executor, () => body(executor))
      await executor.settled()
      await workers.do(() => native.finish(), (job) => store.takeNothing(job))
    } finally {
      executor.isOpen = false
      await executor.settled()
      native.abandon()
    }
  })
}
