// Programs in a process of their own.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LONG, folder } from './tables.mjs'

const project = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Runs a program in a process of its own, which has `dir`, and gives what it said and how it ended. */
export function run(program, dir = folder(), env = {}) {
  const file = join(project, `life-${Math.random().toString(36).slice(2)}.mjs`)
  writeFileSync(file, `import { RelationalStore, open, openFleet } from 'dotdo/db/relational'
import { sql } from 'drizzle-orm'
import { sqliteTable, text } from 'drizzle-orm/sqlite-core'
const LONG = ${JSON.stringify(LONG)}
const dir = ${JSON.stringify(dir)}
const users = sqliteTable('users', { id: text('id').primaryKey() })
${program}`)
  const options = { cwd: project, encoding: 'utf8', timeout: 30_000, env: { ...process.env, ...env } }
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', '--no-warnings', file], options)
  assert.equal(signal, null, stderr)
  return { status, said: stdout.trim(), stderr }
}
