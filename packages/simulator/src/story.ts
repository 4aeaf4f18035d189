/** A day in a monorepo: what the demonstration plays, one push or pull request at a time. */
import type { Bitbucket } from "./bitbucket.ts";
import type { Repository } from "./repository.ts";
import type { ActionResult } from "./simulation.ts";

/** Something that runs when its files change: what a target of the product is made from. */
export interface StoryTarget {
  readonly name: string;
  readonly kind: "stack" | "module";
  /** Folder below the repository's root. */
  readonly projectRoot: string;
  /** Globs outside the root that count as well. */
  readonly additionalGlobs: readonly string[];
}

export interface StoryStep {
  /** One sentence, for printing before it is performed. */
  readonly title: string;
  /** Does it. Steps build on each other: each is performed once, in order. */
  perform(): ActionResult;
}

export interface Story {
  readonly repository: Repository;
  readonly targets: readonly StoryTarget[];
  readonly steps: readonly StoryStep[];
}

/** All of them follow `main`. The web application runs, too, when the module that it uses changes. */
const storyTargets: readonly StoryTarget[] = [
  { name: "network", kind: "stack", projectRoot: "network", additionalGlobs: ["modules/vpc/**"] },
  { name: "database", kind: "stack", projectRoot: "database", additionalGlobs: [] },
  { name: "web", kind: "stack", projectRoot: "apps/web", additionalGlobs: ["modules/service/**"] },
  { name: "worker", kind: "stack", projectRoot: "apps/worker", additionalGlobs: ["modules/service/**"] },
  { name: "vpc", kind: "module", projectRoot: "modules/vpc", additionalGlobs: [] },
];

const FIRST_FILES = {
  "README.md": "# Infrastructure\n\nEvery folder is a stack; modules are shared.\n",
  "network/main.tf": 'module "vpc" {\n  source     = "../modules/vpc"\n  cidr_block = "10.20.0.0/16"\n}\n',
  "network/outputs.tf": 'output "vpc_id" {\n  value = module.vpc.id\n}\n',
  "database/main.tf":
    'resource "aws_db_instance" "orders" {\n  engine         = "postgres"\n  instance_class = "db.r6g.large"\n}\n',
  "apps/web/main.tf": 'module "web" {\n  source        = "../../modules/service"\n  desired_count = 2\n}\n',
  "apps/worker/main.tf":
    'module "worker" {\n  source        = "../../modules/service"\n  desired_count = 1\n}\n',
  "modules/service/main.tf": 'variable "desired_count" {\n  type = number\n}\n',
  "modules/vpc/main.tf":
    'variable "cidr_block" {\n  type = string\n}\n\nresource "aws_vpc" "this" {\n  cidr_block = var.cidr_block\n}\n',
};

/**
 * Makes `acme/infrastructure` with its first commit, which no hook hears of yet: register hooks on `repository`, then
 * perform the steps.
 */
export function createStory(bitbucket: Bitbucket): Story {
  const ada = bitbucket.createUser("Ada Lovelace");
  const grace = bitbucket.createUser("Grace Hopper");
  const repository = bitbucket.createRepository({
    workspace: "acme",
    slug: "infrastructure",
    name: "Infrastructure Live",
  });
  repository.push({
    files: FIRST_FILES,
    message: "Start with network, database and two applications",
    by: ada,
  });

  const branch = "feature/more-web-instances";
  const steps: StoryStep[] = [
    {
      title: "Ada pushes a larger database and a wider network to main.",
      perform: () =>
        repository.push({
          files: {
            "database/main.tf": FIRST_FILES["database/main.tf"].replace("large", "2xlarge"),
            "network/main.tf": FIRST_FILES["network/main.tf"].replace("/16", "/14"),
          },
          message: "Make room for the sales season",
          by: ada,
        }),
    },
    {
      title: "Ada corrects the README on main.",
      perform: () =>
        repository.push({
          files: { "README.md": `${FIRST_FILES["README.md"]}\nAsk in #platform before you apply.\n` },
          message: "Say where to ask",
          by: ada,
        }),
    },
    {
      title: `Grace pushes a new branch, ${branch}, that scales the web application.`,
      perform: () =>
        repository.push({
          branch,
          files: { "apps/web/main.tf": FIRST_FILES["apps/web/main.tf"].replace("= 2", "= 6") },
          message: "Run six web instances",
          by: grace,
        }),
    },
    {
      title: "Grace opens pull request #1 for it.",
      perform: () =>
        repository.openPullRequest({
          title: "Run six web instances",
          description: "Two are not enough for the sales season.",
          source: branch,
          author: grace,
          reviewers: [ada],
          closeSourceBranch: true,
        }),
    },
    {
      title:
        "Grace pushes a second commit, which changes the shared service module: the pull request is updated.",
      perform: () =>
        repository.push({
          branch,
          files: {
            "modules/service/main.tf": `${FIRST_FILES["modules/service/main.tf"]}\nvariable "cpu" {\n  default = 512\n}\n`,
          },
          message: "Let services choose their CPU",
          by: grace,
        }),
    },
    {
      title: "Ada wants to see a plan of the network beside it, and comments: /sluice propose network",
      perform: () =>
        repository.pullRequest(1).comment(ada, "/sluice propose network\n\nIt is behind the same balancer."),
    },
    { title: "Ada approves pull request #1.", perform: () => repository.pullRequest(1).approve(ada) },
    {
      title: "Grace merges pull request #1, which also closes its branch.",
      perform: () => repository.pullRequest(1).merge({ by: grace }),
    },
  ];
  return { repository, targets: storyTargets, steps };
}
