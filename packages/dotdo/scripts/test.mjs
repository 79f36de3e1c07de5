// Packs the package, puts it in a project beside each version of Drizzle, and runs the suite there: what is tested is what is published.
//
// node scripts/test.mjs [0.30 | 0.45 | 1.0]…

import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('..', import.meta.url))
const work = join(here, '.test')
const drizzles = { '0.30': 'drizzle-orm-0-30', '0.45': 'drizzle-orm', '1.0': 'drizzle-orm-1' }
/** What is tested beside the suite. */
const more = { '0.45': ['test/page', 'test/types'], '1.0': ['test/types-v1'] }
const chosen = process.argv.slice(2)
const versions = chosen.length > 0 ? chosen : Object.keys(drizzles)

rmSync(work, { recursive: true, force: true })
mkdirSync(work)
execFileSync('npm', ['pack', '--silent', '--pack-destination', work], { cwd: here, stdio: ['ignore', 'ignore', 'inherit'] })
const tarball = join(work, readdirSync(work).find((name) => name.endsWith('.tgz')))

let failed = 0
for (const version of versions) {
  const project = join(work, version)
  const modules = join(project, 'node_modules')
  mkdirSync(join(modules, 'dotdo'), { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', join(modules, 'dotdo')])
  symlinkSync(join(here, 'node_modules', drizzles[version]), join(modules, 'drizzle-orm'))
  symlinkSync(join(here, 'node_modules', '@types'), join(modules, '@types'))
  cpSync(join(here, 'test'), join(project, 'test'), { recursive: true })
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  const { version: exact } = JSON.parse(readFileSync(join(modules, 'drizzle-orm', 'package.json')))
  const folders = ['test/suite', 'test/compare', ...(more[version] ?? [])]
  const only = process.env.DOTDO_TEST
  const files = folders.flatMap((folder) => readdirSync(join(project, folder)).filter((name) => name.endsWith(".test.mjs") && (only === undefined || join(folder, name).includes(only))).map((name) => join(folder, name)))
  console.log(`\n== drizzle-orm ${exact}: ${files.length} files`)
  const env = { ...process.env, TSC: join(here, 'node_modules', 'typescript', 'bin', 'tsc') }
  const { status } = spawnSync(process.execPath, ['--test', '--test-reporter=spec', '--expose-gc', ...files], { cwd: project, stdio: 'inherit', env })
  if (status !== 0) failed++
}
process.exit(failed === 0 ? 0 : 1)
