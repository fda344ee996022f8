export type { CredentialKind, LoggedRequest } from "./log.ts";
export { registryServer, type RegistryServer, type RegistryServerOptions } from "./registry-server.ts";
export { startRegistry, type RunningRegistry, type StartRegistryOptions } from "./start-registry.ts";
