/** A copy of plain data whose keys, at every depth, are in snake case: `decidedAt` as `decided_at`. */
export function toSnakeCase(data: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [
      key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      convert(value),
    ]),
  );
}

function convert(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(convert);
  return typeof value === "object" && value !== null ? toSnakeCase(value) : value;
}
