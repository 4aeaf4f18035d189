/** Whether what a stack or a module refers to is there, within reach, and may be used by it (rule 2). */
import { isWithinReach, type Reach } from "@sluice/domain/access";
import { createSpaceTree, isUsableIn, type SpaceTree } from "@sluice/domain/space-tree";
import type { TargetState } from "@sluice/store/target-changes";
import {
  type IntegrationPlace,
  listSpaceRecords,
  lockIntegrationPlaces,
  type SpaceRecord,
} from "@sluice/store/space-records";
import type { Transaction } from "@sluice/store/transaction";

import type { FieldError } from "./problem.ts";
import type { WantedTarget } from "./target-document.ts";

/** What targets can refer to. */
export interface Surroundings {
  /** Within reach, by name. */
  readonly spaces: ReadonlyMap<string, SpaceRecord>;
  readonly tree: SpaceTree;
  readonly integrations: ReadonlyMap<string, IntegrationPlace>;
  readonly defaultIntegration: IntegrationPlace | null;
}

/** A target whose references are found. */
export interface ResolvedTarget {
  readonly state: TargetState;
  readonly space: SpaceRecord;
  readonly integrationId: string;
}

/** Reads the surroundings, and holds the integrations until the transaction ends. */
export async function lookAround(tx: Transaction, reach: Reach): Promise<Surroundings> {
  const spaces = await listSpaceRecords(tx);
  const integrations = await lockIntegrationPlaces(tx);
  return {
    spaces: new Map(spaces.filter(({ id }) => isWithinReach(reach, id)).map((space) => [space.name, space])),
    tree: createSpaceTree(spaces),
    integrations: new Map(integrations.map((each) => [each.name, each])),
    defaultIntegration: integrations.find(({ space }) => space === null) ?? null,
  };
}

/**
 * Finds what a target refers to, or says what is wrong with it. An integration that cannot be used in the space is told as
 * one that is not there: it may be nobody's to see.
 */
export function resolveTarget(
  { integration: named, ...wanted }: WantedTarget,
  around: Surroundings,
): ResolvedTarget | FieldError {
  const space = around.spaces.get(wanted.space);
  if (space === undefined) return { field: "space", message: NO_SPACE };
  const integration = named === null ? around.defaultIntegration : around.integrations.get(named);
  if (integration === null) {
    return { field: "integration", message: "has to be named: there is no default integration" };
  }
  if (integration === undefined || !isUsableIn(around.tree, integration.space, space.name)) {
    const message = `cannot be used in the space "${space.name}", or is not there: it has to be the default integration, or one of this space or of a space above that it inherits from`;
    return { field: "integration", message };
  }
  return { state: { ...wanted, integration: integration.name }, space, integrationId: integration.id };
}

/** What a space is told that is not there for whoever asks. */
export const NO_SPACE = "is not there, or out of your reach";
