/** `sluice keys rotate`: encrypts what is stored under the first key, so that the keys after it can be dropped. */
import { AppError } from "@sluice/domain/app-error";
import { defineConfiguration, loadConfiguration } from "@sluice/runtime/configuration";
import { parsedText } from "@sluice/runtime/configuration-values";
import { type Keyring, parseKeyring } from "@sluice/runtime/keyring";
import { databaseVariables, encryptionVariables } from "@sluice/runtime/variables";
import { insertAuditEntries } from "@sluice/store/audit-log";
import { openStore, type Store } from "@sluice/store/client";
import { lockDeclaredState } from "@sluice/store/declared-state";
import {
  countKeyUses,
  ENCRYPTED_COLUMNS,
  type EncryptedColumn,
  type EncryptedValue,
  listValuesOfOtherKeys,
  type Reencryption,
  replaceEncryptedValues,
} from "@sluice/store/encrypted-columns";
import { type Transaction, withTransaction } from "@sluice/store/transaction";

import { type CliContext, EXIT_CODES, type ExitCode } from "./cli-context.ts";
import type { RotateOptions } from "./commands/keys.ts";
import {
  describeRotation,
  isComplete,
  rotationAsJson,
  type RotationReport,
  type Unreadable,
} from "./keys-rotate-report.ts";
import { findEnvironment } from "./running-environment.ts";
import { usageInvalid } from "./usage-error.ts";

/** The keyring, and the ids of its keys in their order. */
interface Keys {
  readonly keyring: Keyring;
  readonly newest: string;
  readonly ids: readonly string[];
}

const rotateVariables = defineConfiguration({
  databaseUrl: databaseVariables.databaseUrl,
  keys: {
    ...encryptionVariables.keyring,
    schema: parsedText("id:base64key pairs between commas, the newest first", parseKeys),
  },
});

/** One transaction each: what is done stays done, wherever the process ends. */
const DEFAULT_PAGE_SIZE = 100;
/** An `apply` of ten thousand stacks holds us up for some seconds. */
const STATEMENT_TIMEOUT_MS = 300_000;

/**
 * Encrypts under the first key what another one encrypted, and says which keys are still in use. Exit code 1 when there is
 * something that no present key decrypts; 3 when there is more to do: a dry run, or somebody has used another key meanwhile.
 * @throws AppError `usage_invalid`, ConfigurationError.
 */
export async function rotateKeys(
  { dryRun, by, json }: RotateOptions,
  context: CliContext,
  pageSize: number = DEFAULT_PAGE_SIZE,
): Promise<ExitCode> {
  if (by === "") throw usageInvalid("--by needs a name");
  const { databaseUrl, keys } = loadConfiguration(rotateVariables, findEnvironment(context));
  const store = openStore({
    url: databaseUrl,
    maxConnections: 2,
    applicationName: "sluice-keys-rotate",
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  try {
    const done: Done = { values: new Map(), unreadable: [] };
    for (const column of ENCRYPTED_COLUMNS) {
      await rotateColumn(store, { column, keys, by, dryRun, pageSize }, done);
    }
    const uses = await countKeyUses(store);
    const report: RotationReport = { dryRun, newest: keys.newest, ids: keys.ids, uses, ...done };
    context.print(json ? rotationAsJson(report) : describeRotation(report));
    if (report.unreadable.length > 0) return EXIT_CODES.failed;
    return isComplete(report) ? EXIT_CODES.done : EXIT_CODES.pending;
  } finally {
    await store.close();
  }
}

interface Done {
  readonly values: Map<EncryptedColumn, number>;
  readonly unreadable: Unreadable[];
}

interface Task {
  readonly column: EncryptedColumn;
  readonly keys: Keys;
  readonly by: string;
  readonly dryRun: boolean;
  readonly pageSize: number;
}

async function rotateColumn(store: Store, task: Task, done: Done): Promise<void> {
  const { column, pageSize } = task;
  let values = 0;
  for (let after: string | null = null; ;) {
    const page: Page = await withTransaction(store, (tx) => rotatePage(tx, task, after));
    values += page.values;
    done.unreadable.push(...page.unreadable);
    after = page.last;
    if (page.size < pageSize) break;
  }
  done.values.set(column, values);
}

interface Page {
  readonly size: number;
  readonly last: string | null;
  readonly values: number;
  readonly unreadable: readonly Unreadable[];
}

/**
 * Whoever changes an integration reads its row first and writes the ciphertexts that it keeps back: under the lock that they
 * all take, nobody puts one back that was replaced here.
 */
async function rotatePage(tx: Transaction, task: Task, after: string | null): Promise<Page> {
  const { column, keys, by, dryRun, pageSize } = task;
  await lockDeclaredState(tx);
  const found = await listValuesOfOtherKeys(tx, { column, keyId: keys.newest, after, limit: pageSize });
  const { replacements, unreadable } = reencrypt(found, column, keys.keyring);
  const page = { size: found.length, last: found.at(-1)?.rowId ?? null, unreadable };
  if (dryRun) return { ...page, values: replacements.length };
  const values = await replaceEncryptedValues(tx, column, replacements);
  if (values > 0) {
    await insertAuditEntries(tx, { kind: "command_line", keyId: null, name: by, address: null }, [
      {
        action: "encryption_keys.rotated",
        subject: { kind: "encryption_keys", id: null, name: keys.newest },
        spaceId: null,
        details: { column, values },
      },
    ]);
  }
  return { ...page, values };
}

function reencrypt(values: readonly EncryptedValue[], column: EncryptedColumn, keyring: Keyring) {
  const replacements: Reencryption[] = [];
  const unreadable: Unreadable[] = [];
  for (const { rowId, ciphertext, context } of values) {
    try {
      const becomes = keyring.encrypt(keyring.decrypt(ciphertext, context), context);
      replacements.push({ rowId, was: ciphertext, becomes });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      unreadable.push({ column, rowId, code: error.code, message: error.message });
    }
  }
  return { replacements, unreadable };
}

/** @throws AppError `keyring_invalid`. */
function parseKeys(text: string): Keys {
  const keyring = parseKeyring(text);
  const ids = text.split(",").map((entry) => entry.trim().split(":", 1)[0] ?? "");
  return { keyring, ids, newest: ids[0] ?? "" };
}
