/** The worker's retention in a process of its own. */
import { createLogger } from "@sluice/runtime/logger";
import { openStore } from "@sluice/store/client";
import { createRetention, RETENTION_PACE, type RetentionPolicy } from "@sluice/worker/repair/retention";
import type { RunningRole } from "../roles.ts";

export interface RetentionJobInput {
  readonly databaseUrl: string;
  readonly policy: RetentionPolicy;
  readonly applicationName: string;
}

/** What the job says of itself, over all the runs that it took. */
export interface RetentionJobReport {
  /** Rows, over all tables. */
  readonly deleted: number;
  readonly transactions: number;
  /** From before BEGIN to after COMMIT: one statement, and the one that begins. */
  readonly longestTransactionMs: number;
  readonly durationMs: number;
}

/** The role `retention-job`. Each question makes it delete all that is old. */
export async function startRetentionJob(input: RetentionJobInput): Promise<RunningRole> {
  const { databaseUrl: url, applicationName, policy } = input;
  const store = openStore({ url, maxConnections: 2, applicationName });
  const lines: RunLine[] = [];
  const logger = createLogger({
    service: "bench",
    level: "info",
    format: "json",
    destination: { write: (line) => void lines.push(parseLine(line)) },
  });
  const stopping = new AbortController();
  const run = createRetention({ store, logger, policy, pace: RETENTION_PACE, signal: stopping.signal });
  return {
    async answer(): Promise<RetentionJobReport> {
      lines.length = 0;
      do await run();
      while (lines.at(-1)?.isComplete === false && !stopping.signal.aborted);
      return reportOf(lines);
    },
    async close() {
      stopping.abort();
      await store.close();
    },
  };
}

interface RunLine extends RetentionJobReport {
  readonly isComplete: boolean;
}

/** The tables that a line names with their deleted rows. */
const TABLES = "bodies deliveries events decisions triggers history pullRequests links commits".split(" ");

function parseLine(text: string): RunLine {
  const line: unknown = JSON.parse(text);
  const fields = new Map(typeof line === "object" && line !== null ? Object.entries(line) : []);
  const numberOf = (name: string): number => Number(fields.get(name) ?? 0);
  return {
    deleted: TABLES.reduce((sum, table) => sum + numberOf(table), 0),
    transactions: numberOf("batches"),
    longestTransactionMs: numberOf("longestBatchMs"),
    durationMs: numberOf("durationMs"),
    isComplete: fields.get("isComplete") === true,
  };
}

function reportOf(lines: readonly RunLine[]): RetentionJobReport {
  const sum = (of: (line: RunLine) => number): number => lines.reduce((total, line) => total + of(line), 0);
  return {
    deleted: sum(({ deleted }) => deleted),
    transactions: sum(({ transactions }) => transactions),
    longestTransactionMs: Math.max(0, ...lines.map((line) => line.longestTransactionMs)),
    durationMs: sum(({ durationMs }) => durationMs),
  };
}
