/** Faults that are in force: what both the webhooks and the API go wrong by. */

export interface FaultList<Fault, Subject> {
  /** Puts a fault in force for `times` subjects that match; default: until it is ended. @returns what ends it */
  add(fault: Fault, match: (subject: Subject) => boolean, times?: number): () => void;
  /** The newest fault in force that matches, used up by one; null when there is none. */
  take(subject: Subject): Fault | null;
}

/** A list without faults. */
export function createFaultList<Fault, Subject>(): FaultList<Fault, Subject> {
  const entries: { fault: Fault; match: (subject: Subject) => boolean; left: number }[] = [];
  return {
    add: (fault, match, times = Number.POSITIVE_INFINITY) => {
      const entry = { fault, match, left: times };
      entries.push(entry);
      return () => {
        entry.left = 0;
      };
    },
    take: (subject) => {
      const entry = entries.findLast((one) => one.left > 0 && one.match(subject));
      if (entry === undefined) return null;
      entry.left -= 1;
      return entry.fault;
    },
  };
}
