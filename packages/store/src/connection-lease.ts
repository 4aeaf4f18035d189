import type postgres from "postgres";

import type { Types } from "./client.ts";
import { connectionTimeout } from "./connection-timeout.ts";

/** One connection that nobody else uses until it is given back. */
export interface ConnectionLease {
  readonly sql: postgres.ReservedSql<Types>;
  /**
   * Rejects when the connection is lost, or was lent for too long and is given up. A statement sent after that would
   * never be answered.
   */
  readonly lost: Promise<never>;
  /** Gives the connection back, or replaces it when it was lost. */
  release(): void;
}

export interface ConnectionLeases {
  /**
   * Waits for a free connection. @throws the driver's connection error when Postgres is away, an error with the code
   * CONNECTION_TIMEOUT when none became free in time.
   */
  lease(): Promise<ConnectionLease>;
  close(timeoutS: number): Promise<void>;
}

interface Slot {
  readonly client: postgres.Sql<Types>;
  readonly openedAt: number;
  /** Runs while it is free. */
  idleTimer: NodeJS.Timeout | undefined;
  onLost: ((error: Error) => void) | null;
  isLost: boolean;
}

/** So that what the server keeps for a connection does not grow for ever. */
const MAX_AGE_MS = 45 * 60_000;

export interface ConnectionLeasesOptions {
  readonly size: number;
  /** From the wish for a connection until it is given back; then whoever has it is told that it is lost. */
  readonly timeoutMs: number;
  /** A connection that nobody wants for so long is closed. */
  readonly idleMs: number;
  /** Opens a client of one connection. */
  readonly open: (onclose: () => void) => postgres.Sql<Types>;
}

/**
 * Connections for transactions, each a client of its own. The driver's pool can lend one too (`sql.reserve`), but when
 * that connection is lost, its next statement hangs, and releasing it puts the dead connection back among the open ones
 * (postgres 3.4.9, src/index.js `reserve`). A client of one connection tells by `onclose` that it was this one.
 *
 * A client is not asked again after it could not connect, and is not left to close its connection by itself: a `reserve`
 * that meets a connection which is being closed is never answered (`onclose` makes it the first statement of the next
 * connection, and src/connection.js `ReadyForQuery` then forgets it).
 */
export function createConnectionLeases(options: ConnectionLeasesOptions): ConnectionLeases {
  const { size, timeoutMs, idleMs, open } = options;
  const free: Slot[] = Array.from({ length: size }, () => openSlot(open));
  const waiting: ((slot: Slot) => void)[] = [];

  function giveBack(slot: Slot): void {
    const next = waiting.shift();
    if (next !== undefined) return next(slot);
    free.push(slot);
    slot.idleTimer = setTimeout(() => free.splice(free.indexOf(slot), 1, replace(slot)), idleMs).unref();
  }

  function takeFree(): Slot | undefined {
    const slot = free.pop();
    clearTimeout(slot?.idleTimer);
    return slot;
  }

  function replace(slot: Slot): Slot {
    void slot.client.end({ timeout: 0 }).catch(() => undefined);
    return openSlot(open);
  }

  function waitForSlot(): Promise<Slot> {
    return new Promise((resolve, reject) => {
      const take = (slot: Slot) => {
        clearTimeout(timer);
        resolve(slot);
      };
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(take), 1);
        reject(connectionTimeout(`no connection for a transaction was free within ${String(timeoutMs)} ms`));
      }, timeoutMs);
      waiting.push(take);
    });
  }

  return {
    async lease() {
      const wishedAt = performance.now();
      const slot = takeFree() ?? (await waitForSlot());
      try {
        slot.isLost = false;
        const sql = await slot.client.reserve();
        const lost = new Promise<never>((_, reject) => {
          slot.onLost = reject;
        });
        // Nobody may be listening when the connection goes between two statements.
        lost.catch(() => undefined);
        const giveUp = () =>
          lose(slot, connectionTimeout(`a transaction did not end within ${String(timeoutMs)} ms`));
        const timer = setTimeout(giveUp, Math.max(0, wishedAt + timeoutMs - performance.now()));
        return {
          sql,
          lost,
          release() {
            clearTimeout(timer);
            release(slot, sql);
          },
        };
      } catch (error) {
        giveBack(replace(slot));
        throw error;
      }
    },
    async close(timeoutS) {
      for (const { idleTimer } of free) clearTimeout(idleTimer);
      await Promise.all(free.map((slot) => slot.client.end({ timeout: timeoutS })));
    },
  };

  function release(slot: Slot, sql: postgres.ReservedSql<Types>): void {
    slot.onLost = null;
    if (!slot.isLost) sql.release();
    const isSpent = slot.isLost || performance.now() - slot.openedAt > MAX_AGE_MS;
    giveBack(isSpent ? replace(slot) : slot);
  }
}

function openSlot(open: ConnectionLeasesOptions["open"]): Slot {
  const slot: Slot = {
    client: open(() => {
      lose(
        slot,
        Object.assign(new Error("the connection to Postgres was lost"), { code: "CONNECTION_CLOSED" }),
      );
    }),
    openedAt: performance.now(),
    idleTimer: undefined,
    onLost: null,
    isLost: false,
  };
  return slot;
}

function lose(slot: Slot, error: Error): void {
  slot.isLost = true;
  slot.onLost?.(error);
}
