/** The services, in the order in which they are started; they are stopped in the same one, so that intake ends first. */
export const SERVICE_NAMES = ["ingress", "worker", "api"] as const;

/** One of them. */
export type ServiceName = (typeof SERVICE_NAMES)[number];
