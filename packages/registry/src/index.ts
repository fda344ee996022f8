export * from "./errors.ts";
export * from "./oci/config.ts";
export type { Descriptor } from "./oci/descriptor.ts";
export * from "./oci/digest.ts";
export { convertManifest, type DocumentTypes } from "./oci/convert.ts";
export { encodeJson, parseJson } from "./oci/json.ts";
export * from "./oci/manifest.ts";
export * from "./oci/media-type.ts";
export * from "./oci/platform.ts";
export {
  apiHost,
  familiarReference,
  formatReference,
  parseReference,
  referenceTarget,
  type Reference,
} from "./oci/reference.ts";
export { selectPlatform } from "./oci/select-platform.ts";
export * from "./store/store.ts";
export { contentOf, readAll, verified } from "./store/verify.ts";
export { memoryStore, type MemoryStore } from "./store/memory.ts";
export { registryClient, type RegistryClient, type RegistryClientOptions } from "./remote/client.ts";
export { RegistryError, type RegistryErrorCode } from "./remote/registry-error.ts";
export type { HostOptions } from "./remote/endpoint.ts";
export type * from "./remote/events.ts";
export type { MirrorOptions } from "./remote/mirrors.ts";
export type { HttpRequest, HttpResponse, TlsOptions, Transport } from "./remote/http.ts";
export type { FetchedManifest } from "./remote/manifest.ts";
export type { RemoteRepository } from "./remote/repository.ts";
export type { StreamOptions } from "./remote/upload.ts";
export type { RepositoryName } from "./remote/context.ts";
export { DownloadError, fetchUrl, type Download, type DownloadOptions } from "./remote/download.ts";
export { nodeFetchTransport, type NodeFetchTransportOptions } from "./remote/transport.ts";
export type { Credential, CredentialSource } from "./auth/credential.ts";
export { CredentialError } from "./auth/credential-error.ts";
export { storedCredentials, type StoredCredentialsOptions } from "./auth/stored-credentials.ts";
export { removeLogin, storeLogin, type LoginOptions } from "./auth/login.ts";
export type { HelperOutcome, HelperRunner } from "./auth/helper.ts";
export { copyImage, type CopyOptions } from "./store/copy.ts";
export type { CopyEvent, CopyTarget, GraphCopyOptions } from "./store/graph-copier.ts";
export { cachedSource } from "./store/cached.ts";
export { convertImage, type ConvertedImage } from "./store/convert-image.ts";
export { layeredSource } from "./store/layered.ts";
export { ociLayout, type OciLayout } from "./store/layout.ts";
export type { ArchiveSink } from "./store/archive-sink.ts";
export { dockerArchive } from "./store/docker-archive.ts";
export { openDockerArchive } from "./store/docker-archive-source.ts";
export {
  ociArchive,
  openOciArchive,
  type ArchiveSource,
  type OciArchiveSink,
  type OciArchiveSource,
} from "./store/oci-archive.ts";
