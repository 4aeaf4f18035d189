/**
 * Why a decision is what it is (rule 25): a closed list of stable codes. Three that rule 25 has no word for: `held`,
 * because rule 17 keeps a tracked trigger for a person when the changed files are not known, `baseline`, because the first
 * head that a sweep sees runs nothing (rule 34), and `module_version_refused`, because rule 31 refuses a version that is not
 * above the module's last.
 */
export const REASONS = [
  "triggered",
  "no_target",
  "outside_project_root",
  "tag",
  "branch_deleted",
  "metadata_only",
  "fork_not_allowed",
  "duplicate",
  "stale",
  "unsupported_event",
  "not_a_command",
  "command_refused",
  "integration_detached",
  "target_disabled",
  "locked",
  "policy_ignored",
  "policy_no_match",
  "default_policy_disabled",
  "run_limit",
  "closed",
  "held",
  "baseline",
  "module_version_refused",
] as const;

export type Reason = (typeof REASONS)[number];
