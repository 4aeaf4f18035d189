/** What every suite is given, and what it gives back. */
import type { Workplace } from "./child-process.ts";
import type { Options, SuiteName } from "./options.ts";
import { withResources, type Resources } from "./resources.ts";
import type { Servers } from "./servers.ts";
import type { WebhookTemplate } from "./webhooks.ts";

/** One execution of the command. */
export interface Bench {
  readonly options: Options;
  readonly workplace: Workplace;
  readonly servers: Servers;
  readonly templates: readonly WebhookTemplate[];
  readonly resources: Resources;
  /** Tells whoever waits what is being done. */
  readonly say: (line: string) => void;
}

/** Something that is measured. */
export interface Subject {
  readonly name: string;
  /** One sentence for the table. */
  readonly description: string;
}

/** Numbers of one run of one subject, by the keys of the suite's columns. */
export type Figures = Readonly<Record<string, number>>;

export interface Measurement {
  readonly subject: string;
  /** From 1. */
  readonly round: number;
  readonly figures: Figures;
}

/** A run that says nothing, because it lost something or did not come to an end. */
export interface VoidRun {
  readonly subject: string;
  readonly round: number;
  readonly reason: string;
}

export interface Column {
  /** Of a figure. */
  readonly key: string;
  readonly title: string;
  /** After the point. */
  readonly digits: number;
}

/** A column that compares each subject with one of them, round by round. */
export interface RatioColumn {
  readonly title: string;
  readonly key: string;
  readonly to: string;
}

/** What has to hold: a figure of one subject is at least, or at most, so many times that of another, round by round. */
export type Bar = {
  readonly title: string;
  readonly key: string;
  readonly of: string;
  readonly to: string;
} & ({ readonly atLeast: number } | { readonly atMost: number });

export interface SuiteReport {
  readonly suite: SuiteName;
  readonly title: string;
  /** What was measured, in one sentence, where that is not so many rounds of so many seconds. */
  readonly extent?: string;
  readonly subjects: readonly Subject[];
  readonly columns: readonly Column[];
  readonly ratios: readonly RatioColumn[];
  readonly bars: readonly Bar[];
  readonly measurements: readonly Measurement[];
  readonly voidRuns: readonly VoidRun[];
}

const WARM_UP_MS = 3_000;

/** The time before the measurement: shorter in a short run, which is one to see whether it works. */
export function warmUpMs({ seconds }: Pick<Options, "seconds">): number {
  return Math.min(WARM_UP_MS, seconds * 500);
}

/**
 * Runs every subject once, then every subject again: what changes on the machine in the meantime meets all of them. A
 * void run is told and left out; the others go on.
 */
export async function runRounds<S extends Subject>(
  bench: Bench,
  suite: SuiteName,
  subjects: readonly S[],
  measure: (subject: S, resources: Resources) => Promise<Figures>,
): Promise<Pick<SuiteReport, "measurements" | "voidRuns">> {
  const measurements: Measurement[] = [];
  const voidRuns: VoidRun[] = [];
  for (let round = 1; round <= bench.options.runs; round += 1) {
    for (const subject of subjects) {
      const what = `${suite} ${round}/${bench.options.runs} ${subject.name}`;
      try {
        const figures = await withResources(bench.resources, (own) => measure(subject, own));
        measurements.push({ subject: subject.name, round, figures });
        bench.say(`${what}: ${describe(figures)}`);
      } catch (error) {
        if (bench.resources.isClosed) throw error;
        const reason = error instanceof Error ? error.message : String(error);
        voidRuns.push({ subject: subject.name, round, reason });
        bench.say(`${what}: VOID: ${reason}`);
      }
    }
  }
  return { measurements, voidRuns };
}

/** The subjects that `--only` lets through. */
export function selectSubjects<S extends Subject>(subjects: readonly S[], { only }: Options): readonly S[] {
  if (only.length === 0) return subjects;
  return subjects.filter(({ name }) => only.some((part) => name.includes(part)));
}

function describe(figures: Figures): string {
  return Object.entries(figures)
    .map(([key, value]) => `${key} ${value < 100 ? value.toFixed(1) : Math.round(value)}`)
    .join(", ");
}
