// What a parameter is for, from the statement's text: asked only when it cannot be bound.

import { RelationalStoreError } from './error.js'

/** SQLite's own limit. */
export const PARAMETERS_MAX = 32_766

/** Where a parameter goes. */
export interface Place {
  table: string | undefined
  column: string
  /** Of an INSERT of several rows, which of them it is in, from 1. */
  row: number | undefined
}

interface Token {
  kind: 'name' | 'word' | 'parameter' | 'symbol' | 'other'
  text: string
}

const TOKENS = /"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|'(?:[^']|'')*'|--[^\n]*|\/\*[\s\S]*?\*\/|\?\d*|[\p{L}_][\p{L}\p{N}_$]*|[\d.]+\d|[^\s]/gu
const COMPARISONS = new Set(['=', '<', '>', '!', 'like', 'glob', 'is', 'not', 'match', 'regexp'])

function tokensOf(sql: string): Token[] {
  const tokens: Token[] = []
  for (const [text] of sql.matchAll(TOKENS)) {
    const first = text[0]!
    if (text.length > 1 && (first === '"' || first === '`' || first === '[')) tokens.push({ kind: 'name', text: text.slice(1, -1).replaceAll('""', '"') })
    else if (text.startsWith('--') || text.startsWith('/*')) continue
    else if (first === '?') tokens.push({ kind: text === '?' ? 'parameter' : 'other', text })
    else if (/[\p{L}_]/u.test(first)) tokens.push({ kind: 'word', text })
    else tokens.push({ kind: text.length === 1 ? 'symbol' : 'other', text })
  }
  return tokens
}

/** Where the parameter `at`, counted from 0, goes, if the text says so plainly: into a column of an INSERT or UPDATE, or beside one in a condition. */
export function placeOf(sql: string, at: number): Place | undefined {
  const tokens = tokensOf(sql)
  let target = -1
  for (let left = at; left >= 0; left--) {
    target = tokens.findIndex(({ kind }, i) => i > target && kind === 'parameter')
    if (target < 0) return undefined
  }
  return inserted(tokens, target) ?? compared(tokens, target)
}

const is = (token: Token | undefined, text: string) => token !== undefined && token.kind !== 'name' && token.text.toLowerCase() === text
const isName = (token: Token | undefined) => token?.kind === 'name' || token?.kind === 'word'

/** `insert into t (a, b) values (?, ?)` */
function inserted(tokens: readonly Token[], target: number): Place | undefined {
  const into = tokens.findIndex((token) => is(token, 'into'))
  const open = tokens.findIndex((token, i) => i > into && is(token, '('))
  const values = tokens.findIndex((token, i) => i > open && is(token, 'values'))
  if (into < 0 || open < 0 || values < 0 || values > target || !is(tokens[values - 1], ')')) return undefined
  const columns = tokens.slice(open + 1, values - 1).filter(isName)
  let [depth, column, row] = [0, 0, 0]
  for (const token of tokens.slice(values + 1, target)) {
    if (is(token, '(')) {
      depth++
      if (depth === 1) [column, row] = [0, row + 1]
    } else if (is(token, ')')) depth--
    else if (is(token, ',') && depth === 1) column++
    // ON CONFLICT, RETURNING: no row any more.
    else if (depth === 0 && token.kind === 'word') return undefined
  }
  const name = columns[column]?.text
  return name === undefined || depth === 0 ? undefined : { table: tableOf(tokens), column: name, row: row > 1 || is(tokens[endOf(tokens, target) + 1], ',') ? row : undefined }
}

/** Where the parentheses around `at` are closed. */
function endOf(tokens: readonly Token[], at: number): number {
  let depth = 1
  let end = at
  while (depth > 0 && ++end < tokens.length) depth += is(tokens[end], '(') ? 1 : is(tokens[end], ')') ? -1 : 0
  return end
}

/** `set a = ?`, `where t.a >= ?`, `a in (?, ?)`, `a between ? and ?` */
function compared(tokens: readonly Token[], target: number): Place | undefined {
  let at = target - 1
  const isListed = () => tokens[at]?.kind === 'parameter' || is(tokens[at], ',')
  if (is(tokens[at], '(') || is(tokens[at], ',')) {
    while (isListed()) at--
    if (!is(tokens[at], '(') || !is(tokens[at - 1], 'in')) return undefined
    at -= 2
    if (is(tokens[at], 'not')) at--
  } else {
    const before = at
    if (is(tokens[at], 'and') && tokens[at - 1]?.kind === 'parameter') at -= 2
    if (is(tokens[at], 'between')) at--
    else at = before
    while (tokens[at] !== undefined && tokens[at]!.kind !== 'name' && COMPARISONS.has(tokens[at]!.text.toLowerCase())) at--
    if (at === target - 1) return undefined
  }
  const column = tokens[at]
  if (!isName(column)) return undefined
  const isQualified = is(tokens[at - 1], '.') && isName(tokens[at - 2])
  return { table: isQualified ? tokens[at - 2]!.text : tableOf(tokens), column: column!.text, row: undefined }
}

/** The table that the statement is about, if it is one. */
function tableOf(tokens: readonly Token[]): string | undefined {
  const before = ['into', 'update', 'from', 'join']
  const named = tokens.filter((token, i) => isName(token) && before.some((word) => is(tokens[i - 1], word)) && !is(tokens[i + 1], '.'))
  const names = new Set(named.map(({ text }) => text))
  return is(tokens[0], 'insert') || is(tokens[0], 'update') || names.size === 1 ? named[0]?.text : undefined
}

/** The error of a value that is none of SQLite's. */
export function unbindable(sql: string, at: number, what: string): RelationalStoreError {
  const place = placeOf(sql, at)
  const path = place === undefined ? `parameter ${at + 1}` : place.table === undefined ? place.column : `${place.table}.${place.column}`
  const context: [string, string][] = [['parameter', String(at + 1)]]
  if (place?.row !== undefined) context.push(['row', String(place.row)])
  return new RelationalStoreError('Invalid', `${path} cannot be bound: ${what}`, {
    context,
    table: place?.table ?? null,
    columns: place === undefined ? [] : [place.column],
    sql,
    hint: 'give null, a number, a bigint, a string, a boolean, a Date or bytes; for an object, a column of mode json',
  })
}

/** The error of a statement with more parameters than SQLite takes. */
export function tooMany(sql: string, count: number): RelationalStoreError {
  const columns = /^\s*(?:insert|replace)\b[^(]*\(([^)]*)\)\s*values/i.exec(sql)?.[1]?.split(',').length
  const rows = columns === undefined ? '' : `: up to ${Math.floor(PARAMETERS_MAX / columns)} rows of these ${columns} columns at a time`
  return new RelationalStoreError('Invalid', 'the statement has too many parameters', {
    context: [
      ['given', String(count)],
      ['parameters_max', String(PARAMETERS_MAX)],
    ],
    sql: sql.slice(0, 1000),
    hint: `do it in several statements of one transaction${rows}`,
  })
}
