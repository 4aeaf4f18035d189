import { expect, it } from "vitest";
import { defineConfiguration } from "./configuration.ts";
import { describeConfiguration } from "./configuration-reference.ts";
import { oneOf, port, text } from "./configuration-values.ts";

it("describes each variable in one row of its group's table", () => {
  const definition = defineConfiguration({
    port: { name: "A_PORT", schema: port(), description: "Port of A.", default: "8080" },
    token: {
      name: "A_TOKEN",
      schema: text("a token"),
      description: "What A shows.",
      secret: true,
      example: "t|1",
    },
    mode: { name: "A_MODE", schema: oneOf(["x"]), description: "How.", optional: true },
    other: { name: "A_OTHER", schema: text("a name"), description: "Who.", fallbacks: ["B", "C"] },
  });
  expect(describeConfiguration([{ title: "A", introduction: "About A.", definition }])).toBe(
    `## A

About A.

| Variable | Decides | Takes | Default |
| --- | --- | --- | --- |
| \`A_PORT\` | Port of A. | a port from 1 to 65535 (0 takes any free one) | \`8080\` |
| \`A_TOKEN\` | What A shows. Secret; \`A_TOKEN_FILE\` may name a file that holds it. | a token; e.g. \`t\\|1\` | required |
| \`A_MODE\` | How. | one of x | unset |
| \`A_OTHER\` | Who. | a name | \`B\`, else \`C\`, else required |
`,
  );
});
