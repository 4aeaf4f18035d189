/** Finds secrets in what was written, in each form that something may have given them. For the tests. */
import { connect } from "node:net";

import type { Database } from "@sluice/store/client";

/** Something that was written, and where. */
export interface Written {
  readonly place: string;
  readonly text: string;
}

/** A secret that is somewhere. */
export interface Leak {
  readonly place: string;
  /** The name of the secret. */
  readonly secret: string;
  /** Each once. */
  readonly forms: readonly string[];
}

/** What is shorter could be somewhere by accident. */
const MIN_LENGTH = 20;

/** Every secret that is in a text; its name and the forms in which it is there. @throws Error for a secret that is short. */
export function findLeaks(written: readonly Written[], secrets: ReadonlyMap<string, string>): Leak[] {
  const wanted = [...secrets].map(([secret, value]) => {
    if (value.length < MIN_LENGTH) throw new Error(`${secret} has ${String(value.length)} characters`);
    return { secret, forms: formsOf(value) };
  });
  return written.flatMap(({ place, text }) => {
    const lowerCase = text.toLowerCase();
    return wanted.flatMap(({ secret, forms }) => {
      const there = forms.filter(({ value, isHex }) => (isHex ? lowerCase : text).includes(value));
      return there.length === 0
        ? []
        : [{ place, secret, forms: [...new Set(there.map(({ form }) => form))] }];
    });
  });
}

interface Form {
  readonly form: string;
  readonly value: string;
  readonly isHex: boolean;
}

/** As it is; within a URL, a JSON text or base64 of more than itself (`email:token`); as the bytes of a column. */
function formsOf(secret: string): Form[] {
  const bytes = Buffer.from(secret, "utf8");
  const base64 = [0, 1, 2].flatMap((before) => {
    const padded = Buffer.concat([Buffer.alloc(before), bytes]);
    // Characters at both ends hold bits of what is around it.
    const [from, to] = [Math.ceil((before * 8) / 6), Math.floor((padded.length * 8) / 6)];
    return [padded.toString("base64").slice(from, to), padded.toString("base64url").slice(from, to)];
  });
  const texts = {
    plain: secret,
    "URL-encoded": encodeURIComponent(secret),
    JSON: JSON.stringify(secret).slice(1, -1),
  };
  return [
    ...Object.entries(texts).map(([form, value]) => ({ form, value, isHex: false })),
    ...base64.map((value) => ({ form: "base64", value, isHex: false })),
    { form: "hex", value: bytes.toString("hex"), isHex: true },
  ];
}

/** Every row of every table of ours, the tables of queues among them: all columns, as the database writes them. */
export async function dumpDatabase(db: Database): Promise<Written[]> {
  const tables = await db.sql<{ schema: string; name: string }[]>`
    SELECT DISTINCT table_schema AS schema, table_name AS name FROM information_schema.columns
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2`;
  const written: Written[] = [];
  for (const { schema, name } of tables) {
    const rows = await db.sql<{ row: string }[]>`
      SELECT rows::text AS row FROM ${db.sql(schema)}.${db.sql(name)} AS rows`;
    written.push({ place: `table ${schema}.${name}`, text: rows.map(({ row }) => row).join("\n") });
  }
  return written;
}

const DUMP_KEYS = `
local out = {}
for _, key in ipairs(redis.call('KEYS', '*NAMESPACE*')) do
  local kind, value = redis.call('TYPE', key).ok, {}
  if kind == 'string' then value = {redis.call('GET', key)}
  elseif kind == 'hash' then value = redis.call('HGETALL', key)
  elseif kind == 'list' then value = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'set' then value = redis.call('SMEMBERS', key)
  elseif kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1)
  elseif kind == 'stream' then value = {cjson.encode(redis.call('XRANGE', key, '-', '+'))} end
  out[#out + 1] = key .. ' ' .. table.concat(value, ' ')
end
return table.concat(out, '\\n')`;

/** Every key of a namespace in a Redis, with what it holds. */
export async function dumpRedis(url: string, namespace: string): Promise<Written> {
  const script = DUMP_KEYS.replace("NAMESPACE", namespace);
  const words = ["EVAL", script, "0"];
  const request = `*${String(words.length)}\r\n${words.map((word) => `$${String(Buffer.byteLength(word))}\r\n${word}\r\n`).join("")}`;
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(request);
  let answer = Buffer.alloc(0);
  for await (const chunk of socket) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError("a socket without an encoding gives bytes");
    answer = Buffer.concat([answer, chunk]);
    const [head = ""] = answer.toString("latin1").split("\r\n", 1);
    if (!head.startsWith("$")) throw new Error(`the Redis does not dump its keys: ${answer.toString()}`);
    if (answer.length >= head.length + 2 + Number(head.slice(1)) + 2) break;
  }
  socket.destroy();
  return { place: `redis ${namespace}`, text: answer.toString("utf8") };
}
