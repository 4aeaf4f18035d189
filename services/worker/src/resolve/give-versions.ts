import type { Decision } from "@sluice/domain/decide";
import { ignore } from "@sluice/domain/ignore";
import type { TargetDecision } from "@sluice/domain/run-limit";
import type { Target } from "@sluice/domain/target";

import { readModuleVersions, type GetFile, type ModuleVersion } from "./module-version.ts";

/**
 * Gives the tracked runs of modules the versions that files at their commit say (rule 31). A run that waits for a person
 * keeps its version in its evidence; one whose version cannot be read is refused.
 * @throws AppError of the client for anything that waiting can mend.
 */
export async function giveVersions(
  decisions: readonly TargetDecision[],
  targets: readonly Target[],
  getFile: GetFile,
): Promise<TargetDecision[]> {
  const byId = new Map(targets.map((target) => [target.id, target]));
  const moduleOf = ({ targetId, decision }: TargetDecision): Target | null => {
    const target = targetId === null ? undefined : byId.get(targetId);
    const isTracked = decision.outcome !== "ignore" && decision.runType === "tracked";
    const hasVersion = decision.outcome === "trigger" && decision.moduleVersion !== undefined;
    return target?.kind === "module" && isTracked && !hasVersion ? target : null;
  };
  const modules = decisions.flatMap((one) => moduleOf(one) ?? []);
  if (modules.length === 0) return [...decisions];
  const versions = await readModuleVersions(
    modules.filter(({ moduleVersionSource }) => moduleVersionSource !== "tag"),
    getFile,
  );
  return decisions.map((one) => {
    const target = moduleOf(one);
    return target === null
      ? one
      : { ...one, decision: giveVersion(one.decision, versions.get(target.id) ?? BY_TAG) };
  });
}

/** Of a command to deploy a branch of it. */
const BY_TAG: ModuleVersion = {
  kind: "refused",
  version: null,
  because: "the module is released by tags, and this is none",
};

function giveVersion(decision: Decision, found: ModuleVersion): Decision {
  if (found.kind === "refused") {
    const { version, because } = found;
    return ignore("module_version_refused", {
      ...decision.evidence,
      moduleVersion: { version, last: null, because },
    });
  }
  if (decision.outcome === "trigger") return { ...decision, moduleVersion: found.version };
  const moduleVersion = { version: found.version, last: null };
  return { ...decision, evidence: { ...decision.evidence, moduleVersion } };
}
