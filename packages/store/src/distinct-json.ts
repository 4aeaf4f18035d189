/** Values of a column of JSON in which the same one is sent once. */
export interface DistinctJson {
  /** A JSON array of the different values. */
  readonly list: string;
  /** For each value given, its place in the list. */
  readonly places: readonly number[];
}

/**
 * Lists each of the values once, by what it looks like as JSON: `list::jsonb -> place` is the value. The list is to be a
 * query of its own in the statement, which reads it once and not for each row.
 */
export function toDistinctJson(values: readonly object[]): DistinctJson {
  const placeOf = new Map<string, number>();
  const places = values.map((value) => {
    const json = JSON.stringify(value);
    const place = placeOf.get(json) ?? placeOf.size;
    placeOf.set(json, place);
    return place;
  });
  return { list: `[${[...placeOf.keys()].join(",")}]`, places };
}
