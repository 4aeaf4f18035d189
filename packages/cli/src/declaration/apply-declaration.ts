/** Makes the store what files declare: one transaction, one at a time. */
import { AppError } from "@sluice/domain/app-error";
import {
  credentialContext,
  previousSecretContext,
  webhookSecretContext,
} from "@sluice/domain/secret-context";
import type { Keyring } from "@sluice/runtime/keyring";
import type { Database, Store } from "@sluice/store/client";
import {
  type DeclaredState,
  lockDeclaredState,
  readDeclaredState,
  type StoredIntegration,
} from "@sluice/store/declared-state";
import { withTransaction } from "@sluice/store/transaction";

import { checkReferences, namesOf } from "./check-references.ts";
import type { Declaration } from "./declaration.ts";
import { describePlan } from "./describe-plan.ts";
import { isEmptyPlan, type Plan, planChanges } from "./plan.ts";
import type { StoredSecrets } from "./plan-secrets.ts";
import { DeclarationError, sortProblems } from "./problem.ts";
import { type GeneratedSecret, writePlan } from "./write-plan.ts";

/** What to apply, and how. */
export interface ApplyInput {
  readonly declaration: Declaration;
  readonly keyring: Keyring;
  readonly prune: boolean;
}

/** What was done. */
export interface Applied {
  readonly plan: Plan;
  readonly generated: readonly GeneratedSecret[];
}

/** What applying would do now. Writes nothing. @throws DeclarationError, AppError `space_in_use`. */
export async function planDeclaration(db: Database, input: ApplyInput): Promise<Plan> {
  return planAgainst(await readDeclaredState(db), input);
}

/**
 * Applies the files, all of them or nothing. Of several at once, one waits for the other and sees what it did.
 * `agreed` is the plan that somebody agreed to; null: whatever is to be done now. `by` is who does it, for the audit log,
 * which has a row of everything that changes.
 * @throws AppError `plan_outdated` when there is something else to be done than was agreed; and as `planDeclaration`.
 */
export async function applyDeclaration(
  store: Store,
  input: ApplyInput & { readonly agreed: Plan | null; readonly by: string },
): Promise<Applied> {
  return withTransaction(store, async (tx) => {
    await lockDeclaredState(tx);
    const stored = await readDeclaredState(tx);
    const plan = planAgainst(stored, input);
    if (input.agreed !== null && !isSamePlan(plan, input.agreed)) {
      throw new AppError("plan_outdated", "something was changed since the plan was shown: run apply again", {
        retry: "never",
      });
    }
    if (isEmptyPlan(plan)) return { plan, generated: [] };
    const { keyring, by } = input;
    return { plan, generated: await writePlan(tx, plan, { stored, keyring, by }) };
  });
}

function planAgainst(stored: DeclaredState, { declaration, keyring, prune }: ApplyInput): Plan {
  const problems = checkReferences({ declaration, names: namesOf(declaration), stored, prune });
  if (problems.length > 0) throw new DeclarationError(sortProblems(problems));
  const secrets = new Map(stored.integrations.map((each) => [each.id, decryptSecrets(each, keyring)]));
  return planChanges({ declaration, stored, secrets, prune });
}

function isSamePlan(one: Plan, other: Plan): boolean {
  return JSON.stringify(describePlan(one)) === JSON.stringify(describePlan(other));
}

function decryptSecrets(stored: StoredIntegration, keyring: Keyring): StoredSecrets {
  const read = (ciphertext: string | null, context: string): string | null => {
    if (ciphertext === null) return null;
    try {
      return keyring.decrypt(ciphertext, context);
    } catch {
      // A key is gone: applying the file again is how its secrets come back.
      return null;
    }
  };
  return {
    token: read(stored.credentialCiphertext, credentialContext(stored.id)),
    webhookSecret: read(stored.webhookSecretCiphertext, webhookSecretContext(stored.id)),
    previousSecret: read(stored.previousSecretCiphertext, previousSecretContext(stored.id)),
  };
}
