/** Whether each service could start with these variables. */
import { ConfigurationError, type Environment, loadConfiguration } from "@sluice/runtime/configuration";

import { listUnknownVariables } from "../known-variables.ts";
import { SERVICE_NAMES, type ServiceName } from "../service-names.ts";
import { fail, type Finding, nameSome, ok, warn } from "./finding.ts";

const REMEDY = "see docs/configuration.md, or `sluice config docs`";

/** One finding for each mistake; what is wrong for several services is told once. */
export async function checkConfiguration(environment: Environment): Promise<readonly Finding[]> {
  const wrong = new Map<string, ServiceName[]>();
  for (const service of SERVICE_NAMES) {
    for (const problem of await listProblems(service, environment)) {
      wrong.set(problem, [...(wrong.get(problem) ?? []), service]);
    }
  }
  const unknown = await listUnknownVariables(environment);
  return [
    ...[...wrong].map(([problem, services]) =>
      fail("configuration", `${services.join(", ")}: ${problem}`, REMEDY),
    ),
    ...(wrong.size === 0 ? [ok("configuration", `${SERVICE_NAMES.join(", ")} can start with it`)] : []),
    ...(unknown.length === 0
      ? []
      : [warn("configuration", `nothing reads ${nameSome(unknown.map(({ name }) => name))}`, REMEDY)]),
  ];
}

async function listProblems(service: ServiceName, environment: Environment): Promise<readonly string[]> {
  try {
    loadConfiguration(await variablesOf(service), environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
}

async function variablesOf(service: ServiceName) {
  switch (service) {
    case "ingress":
      return (await import("@sluice/ingress/config")).ingressVariables;
    case "worker":
      return (await import("@sluice/worker/config")).workerVariables;
    case "api":
      return (await import("@sluice/api/config")).apiVariables;
  }
}
