/** What a rotation of the encryption keys came to, for people and for programs. */
import type { EncryptedColumn, KeyUse } from "@sluice/store/encrypted-columns";

/** A stored value that no present key decrypts. */
export interface Unreadable {
  readonly column: EncryptedColumn;
  readonly rowId: string;
  /** As the keyring throws it: `encryption_key_unknown`, `ciphertext_rejected`, `ciphertext_malformed`. */
  readonly code: string;
  readonly message: string;
}

/** One rotation. */
export interface RotationReport {
  readonly dryRun: boolean;
  /** The key that encrypts. */
  readonly newest: string;
  /** Every key of SLUICE_ENCRYPTION_KEYS, the newest first. */
  readonly ids: readonly string[];
  /** How many values of each column were encrypted anew, or would be. */
  readonly values: ReadonlyMap<EncryptedColumn, number>;
  readonly unreadable: readonly Unreadable[];
  /** As they are at the end. */
  readonly uses: readonly KeyUse[];
}

/** How many unreadable values are named one by one. */
const MAX_NAMED = 10;

const NAMES: Readonly<Record<EncryptedColumn, readonly [one: string, many: string]>> = {
  "integrations.credential_ciphertext": ["token", "tokens"],
  "integrations.webhook_secret_ciphertext": ["webhook secret", "webhook secrets"],
  "integrations.previous_secret_ciphertext": ["previous webhook secret", "previous webhook secrets"],
  "idempotency_keys.body_ciphertext": ["kept answer", "kept answers"],
};

/** Whether everything that is stored is encrypted under the newest key. */
export function isComplete({ uses, newest }: RotationReport): boolean {
  return uses.every(({ keyId }) => keyId === newest);
}

/** For people. Ends with which keys are in use, and which can go. */
export function describeRotation(report: RotationReport): string {
  const { dryRun, newest, unreadable, uses } = report;
  const counted = [...report.values].filter(([, values]) => values > 0);
  const what = counted.map(([column, values]) => amount(values, NAMES[column])).join(", ");
  const verb = dryRun ? "To be encrypted" : "Encrypted";
  const lines = [
    what === "" ? `Nothing is to be encrypted under ${newest}.` : `${verb} under ${newest}: ${what}.`,
  ];
  for (const { column, rowId, message } of unreadable.slice(0, MAX_NAMED)) {
    lines.push(`Not readable: the ${NAMES[column][0]} of ${rowId}: ${message}.`);
  }
  if (unreadable.length > MAX_NAMED) {
    lines.push(`… and ${String(unreadable.length - MAX_NAMED)} more are not readable.`);
  }
  const inUse = [...valuesByKey(uses)].map(([keyId, values]) => `${nameOf(keyId)} (${String(values)})`);
  lines.push(inUse.length === 0 ? "No key is in use: nothing is stored." : `In use: ${inUse.join(", ")}.`);
  return `${[...lines, ...advise(report)].join("\n")}\n`;
}

/** For programs: one object. */
export function rotationAsJson(report: RotationReport): string {
  const { dryRun, newest, unreadable, uses, values } = report;
  const document = {
    dry_run: dryRun,
    newest,
    complete: isComplete(report),
    encrypted: Object.fromEntries(values),
    unreadable: unreadable.map(({ column, rowId, code }) => ({ column, id: rowId, code })),
    in_use: Object.fromEntries(valuesByKey(uses)),
    droppable: droppableIds(report),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function advise(report: RotationReport): string[] {
  const droppable = droppableIds(report);
  const { dryRun, newest, ids, unreadable } = report;
  if (isComplete(report)) {
    if (ids.length === 1) return [];
    return [
      `Can be dropped from SLUICE_ENCRYPTION_KEYS, once every process has been started with ${newest} in front: ${droppable.join(", ")}.`,
    ];
  }
  if (unreadable.length > 0) {
    return [
      "Put the missing key back behind the newest and run this again, or give the integrations new secrets. Kept answers go within a day.",
    ];
  }
  if (dryRun) return ["Nothing was changed: this was a dry run."];
  return [
    `Something was stored under another key meanwhile, by a process that was started before ${newest} was put in front: restart it, and run this again.`,
  ];
}

/** A key that encrypted nothing that is stored, and does not encrypt what comes. */
function droppableIds({ ids, newest, uses }: RotationReport): string[] {
  const used = valuesByKey(uses);
  return ids.filter((id) => id !== newest && !used.has(id));
}

function valuesByKey(uses: readonly KeyUse[]): Map<string, number> {
  const values = new Map<string, number>();
  for (const use of uses) values.set(use.keyId, (values.get(use.keyId) ?? 0) + use.values);
  return values;
}

function nameOf(keyId: string): string {
  return keyId === "" ? "no key of ours" : keyId;
}

function amount(count: number, [one, many]: readonly [string, string]): string {
  return `${String(count)} ${count === 1 ? one : many}`;
}
