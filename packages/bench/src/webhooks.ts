/** Webhooks as Bitbucket sends them, signed before anything is measured. */
import { createHash } from "node:crypto";
import { signBody } from "@sluice/bitbucket/signature";
import { createBitbucket, type Bitbucket } from "@sluice/simulator/bitbucket";

/** A repository whose pushes are sent. */
export interface PushedRepository {
  /** With braces. */
  readonly uuid: string;
  readonly fullName: string;
}

/** A `repo:push` of one to three branches, the first of which is `main`. */
export interface WebhookTemplate {
  readonly repository: PushedRepository;
  readonly text: string;
  /** One a change. */
  readonly heads: readonly { readonly old: string; readonly new: string }[];
}

/** One body and its signature. */
export interface SignedWebhook {
  readonly body: Buffer;
  /** The value of `X-Hub-Signature`. */
  readonly signature: string;
  readonly changes: number;
}

/** Templates, each of a repository of its own: more than requests are under way, so that pushes of one do not overtake each other. */
const TEMPLATES = 512;
const WORKSPACES = 8;
/** Most pushes move one branch. Bodies of 9 to 24 KB, 12 on average. */
const BRANCHES_MOVED = [1, 1, 2, 1, 1, 1, 3, 1];
const MAIN = "main";

/** The same for everybody who asks: 512 pushes that move 704 branches. */
export function createTemplates(): readonly WebhookTemplate[] {
  const bitbucket = createBitbucket({ seed: "bench" });
  return Array.from({ length: TEMPLATES }, (_, place) => createTemplate(bitbucket, place));
}

/**
 * A template with other heads, so that it is another push: what is sent twice makes no second trigger, and so costs
 * less than the work that is to be measured. It goes on from the push of the variant `after`, as pushes do: one that does
 * not is looked for among the recorded ones, and so costs more.
 */
export function signVariant(
  template: WebhookTemplate,
  { variant, after }: { readonly variant: number; readonly after: number },
  secret: string,
): SignedWebhook {
  let { text } = template;
  for (const head of template.heads) {
    text = text.replaceAll(head.new, headOf(head.new, variant)).replaceAll(head.old, headOf(head.new, after));
  }
  const body = Buffer.from(text);
  return { body, signature: signBody(body, secret), changes: template.heads.length };
}

/** What a head of a template is in a variant of it. */
export function headOf(head: string, variant: number): string {
  return createHash("sha1").update(`${head}/${variant}`).digest("hex");
}

function createTemplate(bitbucket: Bitbucket, place: number): WebhookTemplate {
  const workspace = `workspace-${place % WORKSPACES}`;
  const repository = bitbucket.createRepository({ workspace, slug: `infrastructure-${place}` });
  const author = bitbucket.createUser(`Author ${place}`);
  const moved = BRANCHES_MOVED[place % BRANCHES_MOVED.length] ?? 1;
  const branches = [MAIN, `feature/subnets-${place}`, `fix/routes-${place}`].slice(0, moved);
  for (const branch of branches) repository.push({ branch, by: author, files: { [`${branch}.tf`]: "1" } });
  const { changes, webhooks } = repository.pushMany(
    branches.map((branch) => ({ branch, files: { [`network/${branch}.tf`]: `${place}` } })),
    { by: author },
  );
  return {
    repository: { uuid: repository.uuid, fullName: repository.fullName },
    text: JSON.stringify(webhooks[0]?.body),
    heads: changes.map((change) => ({
      old: change.old?.commit.hash ?? "",
      new: change.new?.commit.hash ?? "",
    })),
  };
}
