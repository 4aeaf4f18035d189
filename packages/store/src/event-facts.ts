/** What is kept of an event besides its columns. */
import { commandLine } from "@sluice/domain/comment-command";
import type {
  Actor,
  CommentFacts,
  CommitFacts,
  PullRequestEvent,
  PullRequestFacts,
  PushEvent,
} from "@sluice/domain/event";

/** Of a push its commit; of a pull request event the pull request, and of the comment what a command needs. */
export interface StoredFacts {
  readonly commit?: CommitFacts;
  readonly actor?: Actor;
  readonly pullRequest?: PullRequestFacts;
  readonly comment?: CommentFacts;
}

/** Of a push, as JSON. */
export function factsOfPush({ commit, actor }: PushEvent): string {
  const facts: StoredFacts = {
    ...(commit === null ? {} : { commit }),
    ...(actor === null ? {} : { actor }),
  };
  return JSON.stringify(facts);
}

/** Of a pull request event, as JSON. */
export function factsOfPullRequest({ actor, pullRequest, comment }: PullRequestEvent): string {
  const facts: StoredFacts = {
    pullRequest,
    ...(actor === null ? {} : { actor }),
    ...(comment === null ? {} : { comment: factsOfComment(comment) }),
  };
  return JSON.stringify(facts);
}

/** Without what people say to each other, and without names: rules need the command and the account. */
function factsOfComment(comment: CommentFacts): CommentFacts {
  const { author } = comment;
  return {
    ...comment,
    text: commandLine(comment),
    author: author === null ? null : { ...author, displayName: null },
  };
}
