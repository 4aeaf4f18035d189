/** The format of `sluice.yaml` for editors. */
import { z } from "zod";

import { fileSchema } from "./declaration-schema.ts";

/** A JSON Schema (2020-12). Says the shape; what it cannot say (references, globs, metadata's size), apply checks. */
export function declarationJsonSchema(): object {
  return {
    ...z.toJSONSchema(fileSchema, { io: "input" }),
    title: "sluice.yaml",
  };
}
