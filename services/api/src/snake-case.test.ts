import { expect, test } from "vitest";

import { toSnakeCase } from "./snake-case.ts";

test("keys at every depth, values never", () => {
  expect(toSnakeCase({ aB: [{ cDe: null }, "fG"], h: { iJ: { kLM: 1 } } })).toEqual({
    a_b: [{ c_de: null }, "fG"],
    h: { i_j: { k_l_m: 1 } },
  });
});
