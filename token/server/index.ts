export type { ServerLimits } from "./limits.ts";
export { createServer, type Server, type ServerConfig } from "./server.ts";
