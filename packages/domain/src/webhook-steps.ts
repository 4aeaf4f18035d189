/** What a person does on Bitbucket's pages where our credential may not: every value is there to be copied. */
import { nameBoxes, RECOMMENDED_BOXES, REQUIRED_BOXES, type HookBox } from "./webhook-events.ts";
import type { DesiredHook, HookAction, HookWish } from "./webhook-plan.ts";

/** What has webhooks. */
export type HookSubject =
  | { readonly kind: "repository"; /** `workspace/slug`. */ readonly fullName: string }
  | { readonly kind: "workspace"; readonly workspace: string };

/** Instructions for a person. The secret is not among them. */
export interface ManualSteps {
  /** The page to begin on. */
  readonly page: string;
  readonly title: string;
  readonly url: string;
  readonly boxes: readonly HookBox[];
  readonly recommendedBoxes: readonly HookBox[];
  readonly steps: readonly string[];
}

/**
 * The steps that stand for actions. `actions` null: nobody knows which webhooks there are. `secretPath` is where an admin
 * of the integration reads the secret.
 */
export function manualSteps(input: {
  readonly subject: HookSubject;
  readonly desired: DesiredHook;
  readonly actions: readonly HookAction[] | null;
  readonly wish: HookWish;
  readonly secretPath: string;
}): ManualSteps {
  const { subject, desired, actions, wish, secretPath } = input;
  const fill = fillIn(desired, secretPath);
  return {
    page: settingsPage(subject),
    title: desired.title,
    url: desired.url,
    boxes: REQUIRED_BOXES,
    recommendedBoxes: RECOMMENDED_BOXES,
    steps: [
      subject.kind === "repository"
        ? `Open ${settingsPage(subject)} (Repository settings) and choose Webhooks.`
        : `Open ${settingsPage(subject)} (Workspace settings) and choose Webhooks.`,
      ...(actions === null
        ? unseenSteps(desired, wish, fill)
        : actions.flatMap((action) => stepsOf(action, fill))),
    ],
  };
}

function unseenSteps({ slug }: DesiredHook, wish: HookWish, fill: readonly string[]): readonly string[] {
  const which = `whose URL ends in /webhooks/bitbucket-cloud/${slug}`;
  if (wish === "remove") return [`Delete every webhook ${which}.`];
  const step = `If a webhook ${which} is there, edit it, and delete any second one; else click "Add webhook".`;
  return [step, ...fill];
}

function stepsOf(action: HookAction, fill: readonly string[]): readonly string[] {
  switch (action.kind) {
    case "create":
      return ['Click "Add webhook".', ...fill];
    case "update":
      return [`Edit the webhook whose URL is ${action.currentUrl}.`, ...fill];
    case "delete":
      return [
        `Delete the webhook ${action.hookId} whose URL is ${action.currentUrl}; leave one where several have this URL, unless all are to go.`,
      ];
  }
}

function fillIn({ title, url }: DesiredHook, secretPath: string): readonly string[] {
  const inSection = (section: HookBox["section"], boxes: readonly HookBox[]) =>
    nameBoxes(boxes.filter((box) => box.section === section));
  return [
    `Title: ${title}`,
    `URL: ${url}`,
    `Secret: the one that GET ${secretPath} answers.`,
    'Status: check "Active". Leave "Skip certificate verification" unchecked.',
    `Triggers, "Choose from a full list of triggers": under Repository check ${inSection("Repository", REQUIRED_BOXES)}; under Pull request check ${inSection("Pull request", REQUIRED_BOXES)}; recommended too: ${inSection("Pull request", RECOMMENDED_BOXES)}.`,
    'Click "Save".',
  ];
}

function settingsPage(subject: HookSubject): string {
  const path = subject.kind === "repository" ? subject.fullName : subject.workspace;
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  return `https://bitbucket.org/${encoded}/${subject.kind === "repository" ? "admin" : "workspace/settings"}`;
}
