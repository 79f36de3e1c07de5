// Packs what is published: the package without an addon, and for each platform whose addon is built a package that has it and nothing else. The
// package asks for those as optional dependencies, of which npm installs the one that fits.
//
// node scripts/platforms.mjs [FOLDER]    tarballs are put into FOLDER, npm/ if it is not given
//
// The addons are looked for beside addon.cjs, where `napi build --platform --output-dir .` and scripts/build-addon.mjs put them.

import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { here, manifest, platforms } from './platform.mjs'

const staging = join(here, 'npm')
const out = resolve(process.argv[2] ?? staging)
rmSync(staging, { recursive: true, force: true })
mkdirSync(out, { recursive: true })

const built = platforms.filter(({ addon }) => existsSync(join(here, addon)))
if (built.length === 0) throw new Error('no addon is built: npm run build:addon')
const missing = platforms.filter((platform) => !built.includes(platform))
if (missing.length > 0) console.error(`not built, so not asked for: ${missing.map(({ name }) => name).join(', ')}`)

for (const platform of platforms) {
  const { name, os, cpu, libc, addon, packageName } = platform
  const folder = join(staging, name)
  mkdirSync(folder, { recursive: true })
  const { version, license, repository, engines } = manifest
  const description = `The native addon of ${manifest.name} for ${name}.`
  const own = { name: packageName, version, description, license, repository, engines, os: [os], cpu: [cpu], ...(libc === undefined ? {} : { libc: [libc] }), main: addon, files: [addon] }
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(own, null, 2)}\n`)
  writeFileSync(join(folder, 'README.md'), `# ${packageName}\n\n${description} Install \`${manifest.name}\`, which brings it.\n`)
  if (built.includes(platform)) cpSync(join(here, addon), join(folder, addon))
}

const { devDependencies, scripts, napi, ...published } = manifest
const main = join(staging, manifest.name)
mkdirSync(main)
for (const name of ['dist', 'addon.cjs', 'README.md']) cpSync(join(here, name), join(main, name), { recursive: true })
// At exactly this version: the two sides of the addon's boundary go together.
const optionalDependencies = Object.fromEntries(built.map(({ packageName }) => [packageName, manifest.version]))
writeFileSync(join(main, 'package.json'), `${JSON.stringify({ ...published, optionalDependencies }, null, 2)}\n`)

for (const folder of [main, ...built.map(({ name }) => join(staging, name))]) {
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', out], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  console.log(join(out, packed.trim()))
}
