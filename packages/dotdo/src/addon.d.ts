declare module '#addon' {
  const addon: unknown
  export default addon
}
