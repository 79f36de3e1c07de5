// Empty projects, which npm installs into from the registry.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The package as it is published, and the one with this platform's addon. */
export const { DOTDO, DOTDO_PLATFORM } = process.env

/** An empty project, outside of every other. */
export function project() {
  const folder = mkdtempSync(join(tmpdir(), 'dotdo-project-'))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'empty', private: true, type: 'module' }))
  return folder
}

export function npm(folder, ...args) {
  const { status, stdout, stderr } = spawnSync('npm', ['--no-audit', '--no-fund', '--prefer-offline', ...args], { cwd: folder, encoding: 'utf8' })
  return { status, said: `${stdout}\n${stderr}` }
}

/** Runs a program of the project, and gives what it said. */
export function program(folder, name, text) {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, name), text)
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', name], { cwd: folder, encoding: 'utf8', timeout: 60_000 })
  return { status, said: stdout.trim(), stderr }
}

/** The types of Node, for the compiler. */
export function withTypes(folder) {
  symlinkSync(process.env.TYPES, join(folder, 'node_modules', '@types'))
}
