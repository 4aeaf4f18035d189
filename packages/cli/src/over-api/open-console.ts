/** `sluice open`: the console, in a browser. */
import { spawn } from "node:child_process";

import { type CliContext, EXIT_CODES, type ExitCode } from "../cli-context.ts";
import { findApiUrl } from "../find-api.ts";

const CONSOLE_PATH = "/queues";
const BROWSER_PATIENCE_MS = 2_000;

/** What the command line says. */
export interface OpenOptions {
  readonly url?: string;
  readonly print: boolean;
}

/** Opens it, or prints where it is: told so, or where `browse` says that no browser was started. */
export async function openConsole(
  { url, print }: OpenOptions,
  context: CliContext,
  browse: (address: string) => Promise<boolean> = startBrowser,
): Promise<ExitCode> {
  const address = `${findApiUrl(url, context)}${CONSOLE_PATH}`;
  if (print || !(await browse(address))) context.print(`${address}\n`);
  if (!print) context.report("Sign in with any user, and a key of an admin of the root space as password.\n");
  return EXIT_CODES.done;
}

/** The command that opens an address, by platform. No shell is between: an address is only an argument. */
export function browserCommand(platform: NodeJS.Platform): readonly [command: string, ...args: string[]] {
  switch (platform) {
    case "darwin":
      return ["open"];
    case "win32":
      return ["rundll32", "url.dll,FileProtocolHandler"];
    default:
      return ["xdg-open"];
  }
}

/** False when there is none, or it says at once that it cannot. */
function startBrowser(address: string): Promise<boolean> {
  const [command, ...args] = browserCommand(process.platform);
  return new Promise((resolve) => {
    const browser = spawn(command, [...args, address], { stdio: "ignore", detached: true });
    // Some stay for as long as the browser is open.
    const patience = setTimeout(() => settle(true), BROWSER_PATIENCE_MS);
    const settle = (isOpen: boolean): void => {
      clearTimeout(patience);
      browser.unref();
      resolve(isOpen);
    };
    browser.once("error", () => settle(false));
    browser.once("exit", (code) => settle(code === 0));
  });
}
