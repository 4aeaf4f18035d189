/** What is wrong with the webhooks that a repository or a workspace has for an integration, and what mends it. */
import { nameBoxes, RECOMMENDED_BOXES, REQUIRED_BOXES } from "./webhook-events.ts";
import { recogniseWebhookUrl, shownUrl } from "./webhook-url.ts";

/** Every way in which webhooks are not as they should be. Stable: documents and pages refer to these words. */
export const HOOK_DRIFT_KINDS = [
  /** There is none of ours. */
  "missing",
  /** It is ours by the end of its path, and sends elsewhere. */
  "wrong_url",
  "inactive",
  /** One of the required boxes is not checked. */
  "missing_events",
  /** Deliveries come unsigned, and are refused. */
  "secret_not_set",
  /** Each action is told twice: by two webhooks, or by one and that of the workspace. */
  "duplicate",
  /** It sends also where a certificate is wrong. */
  "certificate_not_checked",
] as const;

export type HookDriftKind = (typeof HOOK_DRIFT_KINDS)[number];

/** One thing that is not as it should be. */
export interface HookDrift {
  readonly kind: HookDriftKind;
  /** Bitbucket's uid of the webhook, with braces; null: there is none. */
  readonly hookId: string | null;
  readonly detail: string;
}

/** What an integration wants. */
export interface DesiredHook {
  readonly url: string;
  readonly slug: string;
  /** What people see in the list of webhooks. */
  readonly title: string;
}

/** A webhook as Bitbucket has it. */
export interface ExistingHook {
  /** With braces. */
  readonly id: string;
  readonly url: string;
  readonly title: string;
  readonly events: readonly string[];
  readonly isActive: boolean;
  /** Null: Bitbucket did not say. */
  readonly isSecretSet: boolean | null;
  readonly skipsCertificateCheck: boolean;
}

/** All of a webhook that we set, besides the secret, which always goes with it. */
export interface HookSettings {
  readonly url: string;
  readonly title: string;
  readonly events: readonly string[];
}

/**
 * Why something is done: a drift, or `recommended_events` for boxes that are better checked, `secret_renewed` and
 * `removed` because somebody asked for it.
 */
export type HookReason = HookDriftKind | "recommended_events" | "secret_renewed" | "removed";

/** One call that mends something. Each is safe to do again. */
export type HookAction =
  | { readonly kind: "create"; readonly settings: HookSettings; readonly reasons: readonly HookReason[] }
  | {
      readonly kind: "update";
      readonly hookId: string;
      readonly currentUrl: string;
      readonly settings: HookSettings;
      readonly reasons: readonly HookReason[];
    }
  | {
      readonly kind: "delete";
      readonly hookId: string;
      readonly currentUrl: string;
      readonly reasons: readonly HookReason[];
    };

/** What is, and what would be done about it; no actions: nothing. */
export interface HookPlan {
  readonly drift: readonly HookDrift[];
  readonly actions: readonly HookAction[];
}

/** What somebody asks for. `renew`: as `provision`, and every webhook of ours gets the present secret. */
export type HookWish = "provision" | "renew" | "remove";

/**
 * Compares the webhooks of one repository, or of one workspace, with what an integration wants. A webhook of somebody else
 * is never in the answer. `isCovered`: a sound webhook of the workspace sends what the repository's own would. What was
 * checked beyond our boxes stays checked. The drift is the same whatever the wish.
 */
export function planHooks(input: {
  readonly desired: DesiredHook;
  readonly existing: readonly ExistingHook[];
  readonly wish: HookWish;
  readonly isCovered?: boolean;
}): HookPlan {
  const { desired, wish, isCovered = false } = input;
  const ours = rankOurs(desired, input.existing);
  const kept = isCovered ? undefined : ours[0];
  const spare = isCovered ? ours : ours.slice(1);
  const drift = [
    ...(kept === undefined ? [] : hookDrift(kept, desired)),
    ...(kept === undefined && !isCovered ? [missing(desired)] : []),
    ...spare.map((hook) => duplicate(hook, kept)),
  ];
  if (wish === "remove") return { drift, actions: ours.map((hook) => deletion(hook, "removed")) };
  const repair = kept === undefined ? null : repairOf(kept, { desired, drift, wish });
  return {
    drift,
    actions: [
      ...(kept === undefined && !isCovered ? [creation(desired)] : []),
      ...(repair === null ? [] : [repair]),
      ...spare.map((hook) => deletion(hook, "duplicate")),
    ],
  };
}

/** Whether one of these webhooks, those of a workspace, sends us all that is required. */
export function isSoundlyHooked(desired: DesiredHook, existing: readonly ExistingHook[]): boolean {
  return rankOurs(desired, existing).some((hook) => hookDrift(hook, desired).length === 0);
}

/** Ours, the one to keep first: the one with the least to mend. The order in which Bitbucket lists them is no matter. */
function rankOurs(desired: DesiredHook, existing: readonly ExistingHook[]): ExistingHook[] {
  const flaws = (hook: ExistingHook): number =>
    (recogniseWebhookUrl(hook.url, desired) === "same" ? 0 : 100) + hookDrift(hook, desired).length;
  return existing
    .filter((hook) => recogniseWebhookUrl(hook.url, desired) !== null)
    .toSorted((a, b) => flaws(a) - flaws(b) || (a.id < b.id ? -1 : 1));
}

function hookDrift(hook: ExistingHook, desired: DesiredHook): HookDrift[] {
  const missingBoxes = REQUIRED_BOXES.filter(({ key }) => !hook.events.includes(key));
  const found: [HookDriftKind, boolean, string][] = [
    [
      "wrong_url",
      recogniseWebhookUrl(hook.url, desired) !== "same",
      `It sends to ${shownUrl(hook.url)} instead of ${desired.url}. If another installation receives it there, name one of the two integrations otherwise before anything is applied.`,
    ],
    ["inactive", !hook.isActive, "It is switched off: Bitbucket sends nothing."],
    ["missing_events", missingBoxes.length > 0, `These boxes are not checked: ${nameBoxes(missingBoxes)}.`],
    [
      "secret_not_set",
      hook.isSecretSet === false,
      "It has no secret: its deliveries are unsigned, and are refused.",
    ],
    [
      "certificate_not_checked",
      hook.skipsCertificateCheck,
      "It does not check the certificate of the address that it sends to.",
    ],
  ];
  return found.flatMap(([kind, isSo, detail]) => (isSo ? [{ kind, hookId: hook.id, detail }] : []));
}

function missing({ url }: DesiredHook): HookDrift {
  return { kind: "missing", hookId: null, detail: `No webhook sends to ${url}.` };
}

function duplicate(hook: ExistingHook, kept: ExistingHook | undefined): HookDrift {
  const other = kept === undefined ? "the webhook of the workspace" : `the webhook ${kept.id}`;
  const detail = `It sends to ${shownUrl(hook.url)} what ${other} sends already.`;
  return { kind: "duplicate", hookId: hook.id, detail };
}

function repairOf(
  hook: ExistingHook,
  {
    desired,
    drift,
    wish,
  }: { readonly desired: DesiredHook; readonly drift: readonly HookDrift[]; readonly wish: HookWish },
): HookAction | null {
  const recommended = RECOMMENDED_BOXES.some(({ key }) => !hook.events.includes(key));
  const reasons: HookReason[] = [
    ...drift.filter(({ hookId }) => hookId === hook.id).map(({ kind }) => kind),
    ...(recommended ? (["recommended_events"] as const) : []),
    ...(wish === "renew" ? (["secret_renewed"] as const) : []),
  ];
  if (reasons.length === 0) return null;
  const settings = {
    url: desired.url,
    title: hook.title === "" ? desired.title : hook.title,
    events: [...new Set([...OUR_EVENTS, ...hook.events])].toSorted(),
  };
  return { kind: "update", hookId: hook.id, currentUrl: shownUrl(hook.url), settings, reasons };
}

function creation({ url, title }: DesiredHook): HookAction {
  return { kind: "create", settings: { url, title, events: OUR_EVENTS }, reasons: ["missing"] };
}

function deletion(hook: ExistingHook, reason: HookReason): HookAction {
  return { kind: "delete", hookId: hook.id, currentUrl: shownUrl(hook.url), reasons: [reason] };
}

const OUR_EVENTS: readonly string[] = [...REQUIRED_BOXES, ...RECOMMENDED_BOXES]
  .map(({ key }) => key)
  .toSorted();
