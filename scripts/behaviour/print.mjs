/** Prints docs/behaviour.md: `npm run docs:behaviour` puts it there. */
import { root } from "../bootstrap.mjs";
import { renderBehaviour } from "./document.mjs";

process.stdout.write(renderBehaviour(root));
