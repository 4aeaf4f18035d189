/** Free TCP ports of the loopback address. */
import { createServer } from "node:net";

/** Every server of this package listens here and nowhere else. */
export const LOOPBACK = "127.0.0.1";

/** A port that was free a moment ago. Another process may take it first: callers try again when that happens. */
export async function findFreePort(): Promise<number> {
  const port = await tryListen(0);
  if (port === null) throw new Error(`no free TCP port on ${LOOPBACK}`);
  return port;
}

/** Whether a server could listen on `port` of the loopback address now. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await tryListen(port)) !== null;
}

function tryListen(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(null));
    server.listen({ host: LOOPBACK, port, exclusive: true }, () => {
      const address = server.address();
      const taken = typeof address === "object" && address !== null ? address.port : null;
      server.close(() => resolve(taken));
    });
  });
}
