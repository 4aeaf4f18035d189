/** What the bodies that a process holds may take together, whoever sent them. */
export interface BodyBudget {
  /** Whether there is room for `bytes` more; takes nothing. */
  hasRoomFor(bytes: number): boolean;
  /** @returns false, and takes nothing, when there is no room. */
  take(bytes: number): boolean;
  giveBack(bytes: number): void;
}

/** A budget of `maxBytes`. Bytes are taken as they arrive: what is only announced takes nothing from others. */
export function createBodyBudget(maxBytes: number): BodyBudget {
  let taken = 0;
  const hasRoomFor = (bytes: number) => taken + bytes <= maxBytes;
  return {
    hasRoomFor,
    take(bytes) {
      if (!hasRoomFor(bytes)) return false;
      taken += bytes;
      return true;
    },
    giveBack(bytes) {
      taken -= bytes;
    },
  };
}
