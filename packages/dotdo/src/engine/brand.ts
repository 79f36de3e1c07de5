// `instanceof` over copies of this package: a program may have it as modules and by require, and a class of each.

/** Has `instanceof` of a class find the instances of its other copies, by a name that all of them have. Subclasses are left as they are. */
export function branded(name: string, of: { readonly prototype: object }): void {
  const brand = Symbol.for(`dotdo/${name}`)
  Object.defineProperty(of.prototype, brand, { value: true })
  Object.defineProperty(of, Symbol.hasInstance, {
    value(this: unknown, instance: unknown): boolean {
      if (this !== of) return Function.prototype[Symbol.hasInstance].call(this as never, instance)
      return typeof instance === 'object' && instance !== null && brand in instance
    },
  })
}
