import { refuseVersion, type GivenVersion, type VersionRefusal } from "@sluice/domain/module-version";
import type { Database } from "@sluice/store/client";
import { listModuleVersions } from "@sluice/store/module-versions";

import type { Draft, NamedDraft } from "./draft.ts";

/** The versions that the modules of these drafts have been given; without a tracked module there is nothing to ask. */
export async function findModuleVersions(
  tx: Database,
  drafts: readonly Draft[],
): Promise<ReadonlyMap<string, readonly GivenVersion[]>> {
  return listModuleVersions(
    tx,
    drafts.flatMap(({ trigger }) => (versionOf(trigger) === null ? [] : (trigger?.targetId ?? []))),
  );
}

/**
 * Turns the tracked trigger of a module into a `module_version_refused` decision when its version is not above those that
 * the module was given at earlier places, or not below those at later ones (rule 31); the drafts before it count too.
 * Duplicates and stale ones have been taken out: they ask for no version. `given`: as `findModuleVersions` found them.
 */
export function refuseModuleVersions(
  drafts: readonly NamedDraft[],
  given: ReadonlyMap<string, readonly GivenVersion[]>,
): NamedDraft[] {
  const known = new Map(given);
  return drafts.map((draft) => {
    const { trigger } = draft;
    const version = versionOf(trigger);
    if (trigger === null || version === null) return draft;
    const versions = known.get(trigger.targetId) ?? [];
    const one = { version, position: trigger.position };
    const refusal = refuseVersion(one, versions);
    if (refusal !== null) return asRefused(draft, version, refusal);
    known.set(trigger.targetId, [...versions, one]);
    return draft;
  });
}

function versionOf(trigger: Draft["trigger"]): string | null {
  return trigger?.runType === "tracked" ? trigger.moduleVersion : null;
}

function asRefused({ decision }: NamedDraft, version: string, refusal: VersionRefusal): NamedDraft {
  const evidence = { ...decision.evidence, moduleVersion: { version, ...refusal } };
  return {
    decision: { ...decision, outcome: "ignore", runType: null, reason: "module_version_refused", evidence },
    trigger: null,
  };
}
