import { UndockedError } from "../errors.ts";

/** A stored credential that cannot be read, or stored. */
export class CredentialError extends UndockedError<
  | "CREDENTIAL_FILE_INVALID"
  | "CREDENTIAL_HELPER_FAILED"
  | "CREDENTIAL_HELPER_NOT_FOUND"
  | "CREDENTIAL_HELPER_OUTPUT"
  | "CREDENTIAL_HELPER_TIMEOUT"
> {}
