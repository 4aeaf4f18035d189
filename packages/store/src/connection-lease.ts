import type postgres from "postgres";

import type { Types } from "./client.ts";

/** One connection that nobody else uses until it is given back. */
export interface ConnectionLease {
  readonly sql: postgres.ReservedSql<Types>;
  /** Rejects when the connection is lost. A statement sent after that would never be answered. */
  readonly lost: Promise<never>;
  /** Gives the connection back, or replaces it when it was lost. */
  release(): void;
}

export interface ConnectionLeases {
  /** Waits for a free connection. @throws the driver's connection error when Postgres is away. */
  lease(): Promise<ConnectionLease>;
  close(timeoutS: number): Promise<void>;
}

interface Slot {
  readonly client: postgres.Sql<Types>;
  onLost: ((error: Error) => void) | null;
  isLost: boolean;
}

/**
 * Connections for transactions, each a client of its own. The driver's pool can lend one too (`sql.reserve`), but when
 * that connection is lost, its next statement hangs, and releasing it puts the dead connection back among the open ones
 * (postgres 3.4.9, src/index.js `reserve`). A client of one connection tells by `onclose` that it was this one.
 */
export function createConnectionLeases(
  size: number,
  open: (onclose: () => void) => postgres.Sql<Types>,
): ConnectionLeases {
  const free: Slot[] = Array.from({ length: size }, () => openSlot(open));
  const waiting: ((slot: Slot) => void)[] = [];

  function giveBack(slot: Slot): void {
    const next = waiting.shift();
    if (next === undefined) free.push(slot);
    else next(slot);
  }

  return {
    async lease() {
      const slot = free.pop() ?? (await new Promise<Slot>((resolve) => waiting.push(resolve)));
      try {
        slot.isLost = false;
        const sql = await slot.client.reserve();
        const lost = new Promise<never>((_, reject) => {
          slot.onLost = reject;
        });
        // Nobody may be listening when the connection goes between two statements.
        lost.catch(() => undefined);
        return { sql, lost, release: () => release(slot, sql) };
      } catch (error) {
        giveBack(slot);
        throw error;
      }
    },
    async close(timeoutS) {
      await Promise.all(free.map((slot) => slot.client.end({ timeout: timeoutS })));
    },
  };

  function release(slot: Slot, sql: postgres.ReservedSql<Types>): void {
    slot.onLost = null;
    if (!slot.isLost) {
      sql.release();
      giveBack(slot);
      return;
    }
    void slot.client.end({ timeout: 0 }).catch(() => undefined);
    giveBack(openSlot(open));
  }
}

function openSlot(open: (onclose: () => void) => postgres.Sql<Types>): Slot {
  const slot: Slot = {
    client: open(() => {
      slot.isLost = true;
      slot.onLost?.(
        Object.assign(new Error("the connection to Postgres was lost"), { code: "CONNECTION_CLOSED" }),
      );
    }),
    onLost: null,
    isLost: false,
  };
  return slot;
}
