import { expect, test } from "vitest";
import { assertNoScan, readBetween, type TableReadings } from "./table-readings.ts";

const readings = (table: string, scans: number, rows: number, entries: number): TableReadings => ({
  table,
  scans,
  rows,
  entries,
});

test("what was read before is not counted", () => {
  const before = [readings("events", 3, 900, 100)];
  const after = [readings("triggers", 1, 80, 7), readings("events", 3, 900, 150)];
  expect(readBetween(before, after)).toEqual([readings("triggers", 1, 80, 7), readings("events", 0, 0, 50)]);
});

test("a scan of one table voids the run and is named; reading by index, or of a first row, does not", () => {
  const byIndex = readings("events", 0, 0, 50);
  expect(() => assertNoScan([readings("triggers", 2, 40, 0), byIndex])).toThrow(/scanned: triggers \(2 ×\)$/);
  expect(() => assertNoScan([byIndex, readings("triggers", 2, 2, 0)])).not.toThrow();
});
