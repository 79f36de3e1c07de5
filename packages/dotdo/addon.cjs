'use strict'
// The native addon: built beside this file from crates/relstore-node, or brought by a package of this platform.

const { existsSync } = require('node:fs')
const { join } = require('node:path')

/** As `napi build --platform` names it. */
function platform() {
  const { platform, arch } = process
  if (platform === 'linux') return `linux-${arch}-${process.report.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl'}`
  if (platform === 'win32') return `win32-${arch}-msvc`
  return `${platform}-${arch}`
}

function load() {
  const name = platform()
  const beside = join(__dirname, `relstore-node.${name}.node`)
  if (existsSync(beside)) return require(beside)
  try {
    return require(`dotdo-${name}`)
  } catch (cause) {
    throw new Error(`dotdo has no native addon for ${name}: install dotdo-${name}, or build it with npm run build:addon`, { cause })
  }
}

module.exports = load()
