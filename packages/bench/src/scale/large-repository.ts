/**
 * A repository with very many stacks, and one push to it. Teams of a hundred: roots within roots, globs of every kind
 * beside some of them, and a few stacks without a root, which every push runs.
 */
import { matchPaths } from "@sluice/domain/path-match";

/** A stack, as far as it decides what runs. */
export interface LargeTarget {
  readonly name: string;
  readonly projectRoot: string;
  readonly projectGlobs: readonly string[];
}

const STACKS_OF_TEAM = 100;
const STACKS_OF_SERVICE = 4;
const ENVIRONMENTS = ["dev", "stage", "prod-eu", "prod-us"];
const MODULE_OF_MANY = "modules/network";

/** 200 in all: below services, in a module that stacks share by a glob, and what no stack looks at. */
const SERVICE_FILES = 100;
const MODULE_FILES = 60;
const OTHER_FILES = 40;

/** As many stacks, in whole teams. */
export function createTargets(count: number): readonly LargeTarget[] {
  return Array.from({ length: count }, (_, index) => {
    const [team, place] = [Math.floor(index / STACKS_OF_TEAM), index % STACKS_OF_TEAM];
    return {
      name: `stack-${index}`,
      projectRoot: rootOf(team, place),
      projectGlobs: globsOf(teamName(team), place),
    };
  });
}

/** The files of a push: those below services are in one stack of each team, so that about 5 % of the stacks run. */
export function createChangedFiles(targetCount: number): readonly string[] {
  const teams = Math.ceil(targetCount / STACKS_OF_TEAM);
  const numbers = (length: number) => Array.from({ length }, (_, number) => number);
  return [
    ...numbers(SERVICE_FILES).map((number) => `${changedFolder(number % teams)}/file-${number}.tf`),
    ...numbers(MODULE_FILES).map((number) => `${MODULE_OF_MANY}/subnet-${number}/main.tf`),
    ...numbers(OTHER_FILES).map((number) => `docs/guide-${number}.md`),
  ];
}

/** How many of the stacks a push of these files runs. */
export function countAffected(targets: readonly LargeTarget[], files: readonly string[]): number {
  return targets.filter((target) => matchPaths(target, files, 1).total > 0).length;
}

function rootOf(team: number, place: number): string {
  const folder = `teams/${teamName(team)}`;
  if (place === 0) return folder;
  if (place === 1 && team % 2 === 0) return "";
  const service = `${folder}/${serviceName(place)}`;
  return place % 20 === 6 ? service : `${service}/${environmentOf(place)}`;
}

/** A third of the stacks have one, of each kind that there is. */
function globsOf(team: string, place: number): readonly string[] {
  const service = serviceName(place);
  switch (place % 20) {
    case 3:
      return [place === 23 || place === 63 ? `${MODULE_OF_MANY}/**` : `modules/${service}/**`];
    case 5:
      return [`teams/${team}/*.tfvars`];
    case 7:
      return [`**/${team}-${service}.tfvars`];
    case 9:
      return [`environments/{dev,prod-eu}/${team}.tf`];
    case 11:
      return [`regions/eu-?/${team}/*`];
    case 13:
      return [`policies/[a-f]*/${team}/**`];
    case 15:
      return ["modules/dns/**", `modules/vpc-[0-9]/${service}.tf`];
    default:
      return [];
  }
}

function changedFolder(team: number): string {
  const place = 20 + ((team * 7) % 60);
  return `teams/${teamName(team)}/${serviceName(place)}/${environmentOf(place)}`;
}

function teamName(team: number): string {
  return `team-${String(team).padStart(3, "0")}`;
}

function serviceName(place: number): string {
  return `service-${String(Math.floor(place / STACKS_OF_SERVICE)).padStart(2, "0")}`;
}

function environmentOf(place: number): string {
  return ENVIRONMENTS[place % STACKS_OF_SERVICE] ?? "";
}
