export { directoryStorage } from "./directory-storage.ts";
export type { Fault, FaultKind, FaultMatch, FaultyRequest } from "./faults.ts";
export type { CredentialKind, LoggedRequest } from "./log.ts";
export { memoryStorage } from "./memory-storage.ts";
export { registryProfiles, type RegistryProfile, type RegistryProfileName } from "./profiles.ts";
export { registryServer, type RegistryServer, type RegistryServerOptions } from "./registry-server.ts";
export { startRegistry, type RunningRegistry, type StartRegistryOptions } from "./start-registry.ts";
export type { Draft, Storage, StoredFile } from "./storage.ts";
export type { BasicAuth, BearerAuth, RegistryAuth, Users } from "./users.ts";
