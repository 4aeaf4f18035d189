import { type GlobStep, parseGlobSteps, SLASH } from "./glob-steps.ts";
import { trimSlashes } from "./target.ts";

// Where a state stands in its segment of the glob. A state is the index of a step and one of these, in one number.
/** Something of this segment has been passed. */
const INSIDE = 0;
/** At the beginning of a segment: a `**` here may be a whole one. */
const START = 1;
/** After a `**` that is taken for a whole segment: only a slash makes that true. */
const WHOLE = 2;
/** Amid the segments that such a `**` holds. */
const SKIPPING = 3;
const PLACES = 4;

/** Stands for the end of a path, which no slash and no character of a glob is. */
const NOTHING_LEFT = -1;

/** The last code point that is one unit of a string. */
const LAST_OF_ONE_UNIT = 0xffff;

/**
 * Compiles a glob; slashes around it are trimmed. It means what it means to Go's doublestar v4:
 *
 * - `*` is any run of characters within one level, `?` one character (a Unicode code point), neither of them a slash;
 * - `[a-z]`, `[!a]` and `[^a]` are one character but a slash; `{a,b}` is either, with anything in it; `\` takes the
 *   next character as it is;
 * - `**` between slashes (or at an end) is any number of levels, none included: `a/**` matches `a` too. Elsewhere it is
 *   a `*`. Its neighbours are those of the alternative taken: `{a/,b}**` is `a/**` or `b*`;
 * - everything else is itself, a dot at the beginning of a name too.
 *
 * Unlike doublestar it refuses a range that runs backwards, which could match nothing. A match takes time in proportion
 * to the length of the glob times that of the path, whatever they hold.
 * @throws GlobInvalidError
 */
export function compileGlob(glob: string): (path: string) => boolean {
  const steps = parseGlobSteps(glob);
  const prefix = literalPrefix(steps);
  const suffix = literalSuffix(steps);
  const matches = createMatcher(steps, prefix);
  return (path) => {
    // As the glob does, a path ends with a slash here: `**` is then any number of segments, wherever it stands.
    const text = `${path}/`;
    return text.startsWith(prefix) && text.endsWith(suffix) && matches(text);
  };
}

/**
 * What every path that the glob matches begins with, a slash put at its end: read off the glob, which costs a fraction of
 * compiling it. May be shorter than it could be; the glob need not be valid.
 */
export function literalStart(glob: string): string {
  const trimmed = trimSlashes(glob);
  const end = trimmed.search(/[*?[{\\]/);
  return end === -1 ? `${trimmed}/` : trimmed.slice(0, end);
}

/** What every match begins with. This and the suffix tell most paths apart at once. */
function literalPrefix(steps: readonly GlobStep[]): string {
  const end = steps.findIndex((step) => textOf(step) === null);
  return steps.slice(0, end).map(textOf).join("");
}

/** What every match ends with; not the slash after a `**`, which may have taken it. */
function literalSuffix(steps: readonly GlobStep[]): string {
  const end = steps.length - 1;
  const start = steps.findLastIndex((step, index) => index < end && textOf(step) === null) + 1;
  return steps.slice(start, end).map(textOf).join("").replace(/^\//, "");
}

/** The text that a step is for; null when it is not for one text only. */
function textOf(step: GlobStep): string | null {
  if (step.kind === "slash") return "/";
  return step.kind === "character" ? String.fromCodePoint(step.codePoint) : null;
}

/** Follows all ways through the steps at once, each a state, so that none is ever taken back. `text` has the prefix. */
function createMatcher(steps: readonly GlobStep[], prefix: string): (text: string) => boolean {
  // The steps of the prefix are for one character each.
  const first = stateAt(Array.from(prefix).length, prefix === "" || prefix.endsWith("/") ? START : INSIDE);
  const accepted = stateAt(steps.length - 1, START);
  // Used again for every path: to make them would take longer than most matches.
  let states = createStateSet(steps.length * PLACES);
  let next = createStateSet(steps.length * PLACES);
  return (text) => {
    clear(states);
    add(states, first);
    for (let at = prefix.length; at < text.length && states.count > 0;) {
      const codePoint = text.codePointAt(at) ?? NOTHING_LEFT;
      clear(next);
      advance(steps, states, codePoint, next);
      [states, next] = [next, states];
      at += codePoint > LAST_OF_ONE_UNIT ? 2 : 1;
    }
    clear(next);
    advance(steps, states, NOTHING_LEFT, next);
    return states.holds[accepted] === 1;
  };
}

interface StateSet {
  /** The first `count` are held, in the order added. */
  readonly states: Int32Array;
  count: number;
  readonly holds: Uint8Array;
}

/** A set of numbers below `size`, several times as fast as a `Set`. */
function createStateSet(size: number): StateSet {
  return { states: new Int32Array(size), count: 0, holds: new Uint8Array(size) };
}

function add(set: StateSet, state: number): void {
  if (set.holds[state] === 1) return;
  set.holds[state] = 1;
  set.states[set.count] = state;
  set.count += 1;
}

function clear(set: StateSet): void {
  for (let at = 0; at < set.count; at += 1) set.holds[set.states[at] ?? 0] = 0;
  set.count = 0;
}

function stateAt(index: number, place: number): number {
  return index * PLACES + place;
}

/** Puts where the states lead without taking the character into `states`, and where they lead by taking it into `next`. */
function advance(steps: readonly GlobStep[], states: StateSet, codePoint: number, next: StateSet): void {
  // The count grows while the loop runs.
  for (let at = 0; at < states.count; at += 1) {
    const state = states.states[at] ?? 0;
    const index = Math.floor(state / PLACES);
    const place = state % PLACES;
    const step = steps[index];
    if (step === undefined) return;
    if (step.kind === "fork") {
      for (const target of step.targets) add(states, stateAt(target, place));
    } else if (step.kind === "slash") {
      // A `**` before it has taken the slash of its last segment already, or holds no segment.
      if (place === WHOLE) add(states, stateAt(index + 1, START));
      else if (codePoint === SLASH) add(next, stateAt(index + 1, START));
    } else if (step.kind === "globstar" && (place === START || place === SKIPPING)) {
      if (place === START) {
        add(states, stateAt(index + 1, WHOLE));
        add(states, stateAt(index, INSIDE));
      }
      add(next, stateAt(index, SKIPPING));
      if (codePoint === SLASH) add(next, stateAt(index + 1, WHOLE));
    } else if (place !== WHOLE && (step.kind === "star" || step.kind === "globstar")) {
      add(states, stateAt(index + 1, INSIDE));
      if (codePoint !== SLASH) add(next, stateAt(index, INSIDE));
    } else if (place !== WHOLE && takes(step, codePoint)) {
      add(next, stateAt(index + 1, INSIDE));
    }
  }
}

/** Whether a step for one character, which is never a slash, is for this one. */
function takes(step: GlobStep, codePoint: number): boolean {
  if (step.kind === "character") return step.codePoint === codePoint;
  if (step.kind !== "class" || codePoint === SLASH) return false;
  return step.ranges.some(([low, high]) => low <= codePoint && codePoint <= high) !== step.negated;
}
