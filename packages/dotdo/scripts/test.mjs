// Packs what is published, puts it in a project beside each version of Drizzle, and runs the suite there. What npm does with it, and the example, are
// tested once.
//
// node scripts/test.mjs [0.30 | 0.45 | 1.0 | install]…
//
// DOTDO_TEST    a part of the paths of the files to run

import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { current, here } from './platform.mjs'

const work = join(here, '.test')
const drizzles = { '0.30': 'drizzle-orm-0-30', '0.45': 'drizzle-orm', '1.0': 'drizzle-orm-1' }
/** What is tested beside the suite. */
const more = { '0.45': ['test/types'], '1.0': ['test/types-v1'] }
const chosen = process.argv.slice(2)
const versions = chosen.length > 0 ? chosen : [...Object.keys(drizzles), 'install']

rmSync(work, { recursive: true, force: true })
execFileSync(process.execPath, [join(here, 'scripts', 'platforms.mjs'), work], { stdio: ['ignore', 'ignore', 'inherit'] })
const tarballs = readdirSync(work).filter((name) => name.endsWith('.tgz'))
const ofPlatform = join(work, tarballs.find((name) => name.startsWith(`${current.packageName}-`)))
const main = join(work, tarballs.find((name) => /^dotdo-\d/.test(name)))
const env = {
  ...process.env,
  TSC: join(here, 'node_modules', 'typescript', 'bin', 'tsc'),
  TYPES: join(here, 'node_modules', '@types'),
  DOTDO: main,
  DOTDO_PLATFORM: ofPlatform,
  DOTDO_EXAMPLE: join(here, '..', '..', 'examples', 'order-desk'),
}

let failed = 0
for (const version of versions) {
  const project = join(work, version)
  if (version === 'install') {
    run(project, 'as npm installs it', ['test/install'])
    continue
  }
  const modules = join(project, 'node_modules')
  unpack(main, join(modules, 'dotdo'))
  unpack(ofPlatform, join(modules, current.packageName))
  symlinkSync(join(here, 'node_modules', drizzles[version]), join(modules, 'drizzle-orm'))
  symlinkSync(join(here, 'node_modules', '@types'), join(modules, '@types'))
  const { version: exact } = JSON.parse(readFileSync(join(modules, 'drizzle-orm', 'package.json')))
  run(project, `drizzle-orm ${exact}`, ['test/suite', 'test/compare', ...(more[version] ?? [])])
}
process.exit(failed === 0 ? 0 : 1)

function unpack(tarball, folder) {
  mkdirSync(folder, { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', folder])
}

/** Runs the tests of some folders in a project. */
function run(project, what, folders) {
  cpSync(join(here, 'test'), join(project, 'test'), { recursive: true })
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  const found = folders.flatMap((folder) => readdirSync(join(project, folder)).map((name) => join(folder, name)))
  const files = found.filter((file) => file.endsWith('.test.mjs') && file.includes(process.env.DOTDO_TEST ?? ''))
  if (files.length === 0) return
  console.log(`\n== ${what}: ${files.length} files`)
  const { status } = spawnSync(process.execPath, ['--test', '--test-reporter=spec', '--expose-gc', ...files], { cwd: project, stdio: 'inherit', env })
  if (status !== 0) failed++
}
