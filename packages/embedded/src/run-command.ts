/** Runs one program to its end and returns what it said. */
import { spawn } from "node:child_process";

/** A user of this machine, as `spawn` wants it. */
export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

/** How a program ended. `status` is null when a signal ended it. */
export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What `runCommand` needs beside the program and its arguments. */
export interface CommandOptions {
  /** Run as this user; null or absent = as ourselves. Only root may name another one. */
  readonly user?: SystemUser | null;
  /** The program's whole environment; absent = ours. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs `program` from "/" (a folder every user can stand in). @throws the spawn error when it does not exist. */
export function runCommand(
  program: string,
  args: readonly string[],
  { user, env }: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: "/",
      stdio: ["ignore", "pipe", "pipe"],
      ...(env === undefined ? {} : { env }),
      ...(user ? { uid: user.uid, gid: user.gid } : {}),
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, stdout, stderr }));
  });
}

/** The last line that a program said: most tell the cause of their failure there. */
export function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
