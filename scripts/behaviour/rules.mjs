/** What a user may rely on, one line a rule. Tests cite the numbers in their titles, so a number is never given twice. */

/** Chapters in the order of a webhook's way; in each, number → what holds. */
export const chapters = [
  {
    title: "Integrations",
    rules: {
      1: "An integration's name never changes, and its endpoint is made from it: the same name again has the same endpoint, and a new secret.",
      2: "There is one default integration at most. Endpoints and secrets are shown to the administrators whose they are, a token to nobody.",
      3: "An API token or an access token is tried when it is saved, and the answer says what it may do. App passwords are refused by name.",
      4: "Webhook secrets are generated. After a rotation the old one verifies too for a time, and it is shown which of the two did.",
      5: "An integration that is in use may be deleted. Its targets are detached then: events pass them by, and nobody can trigger them.",
      6: "An integration chooses which commit statuses are sent: one a target, the aggregates, or both.",
    },
  },
  {
    title: "Receiving",
    rules: {
      7: "Size, slug, signature of the raw bytes, headers, queue, 202: in this order, and nothing is parsed before it is verified. Unsigned is refused.",
      8: "202 means durable. What a retry can mend is a 503 with `Retry-After`; an unknown slug is answered like a wrong signature.",
      9: "A delivery is known by its integration and request UUID. A body that does not fit its event key fails, and is not guessed at.",
    },
  },
  {
    title: "Events",
    rules: {
      10: "Pushes and nine events of pull requests are understood. Any other delivery is kept, and said to be unsupported.",
      11: "A branch belongs to its source repository: a fork's is another one. An update is `synchronize` or `edited` by what was known before.",
      12: "Nothing is keyed on a short hash: it is made whole first, from what is known, else by asking Bitbucket.",
      13: "A pull request's state only moves forward in its own time. Its author's approval does not count, and what nobody knows is `unknown`.",
      14: "Pushes may come late, twice and in any order: the outcome is the same, and no older commit is handed out after a newer one.",
    },
  },
  {
    title: "Changed files",
    rules: {
      15: "A push is compared with what it replaced, a new branch and a pull request with where they parted. Both names of a renamed file count.",
      16: "A list of files is asked for once, whatever the number of targets, and only if one of them needs it.",
      17: "An outage, a limit or a refused token makes an event wait. If the files cannot be known, what is proposed runs and what is tracked is held.",
      18: "Project roots match whole folders, globs as doublestar does; slashes at either end mean nothing.",
    },
  },
  {
    title: "Decisions",
    rules: {
      19: "A target is affected by a changed file under its root or a glob. An empty root holds every file.",
      20: "Ignoring goes before tracking, tracking before proposing, and one event makes one trigger of a target at most.",
      21: "A fork's pull request runs nothing, unless the target allows forks of that owner.",
      22: "An opened or synchronized pull request is decided like a push, an edited one runs nothing, a merge stands for its commit, a decline cancels.",
      23: "A deleted branch runs nothing, and what it had proposed and nobody took is cancelled.",
      24: "A command is a new comment that begins with the command's word. It can propose; it deploys only for those, and after those approvals, that the target asks for.",
      25: "Every decision has a reason from a closed list, and its evidence.",
    },
  },
  {
    title: "Triggers",
    rules: {
      26: "A commit runs once for each target and kind of run, while it is what the target saw last. Later events only add to what is known of it.",
      27: "A newer proposed trigger of a branch takes the place of older ones. Tracked ones stay, unless the target asks for the newest alone.",
      28: "A trigger moves by legal steps alone, each written down with who and when. After a lost lease what began may only be ended by its holder or a person.",
      29: "Tracked before proposed, then the oldest first; a target's tracked triggers in the order of their commits.",
      30: "An event that would make more triggers than the limit makes none, and says so.",
      31: "Modules follow the same rules. A tracked run carries a version above the last one, a proposed run none.",
    },
  },
  {
    title: "Back to Bitbucket",
    rules: {
      32: "Every target and commit has one status, or a share in the aggregates. A key that was begun comes to its end, and no two targets share one.",
      33: "Statuses are late when they have to be, never lost, and each key's are in order.",
    },
  },
  {
    title: "What was never told",
    rules: {
      34: "A sweep finds the heads that no webhook told of, and marks them as found. The first head that it sees of a branch runs nothing.",
    },
  },
];
