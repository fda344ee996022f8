import { UsageError } from "./args.ts";

/**
 * The directory that the command runs in.
 *
 * @throws {UsageError} if it was removed meanwhile
 */
export function workingDirectory(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new UsageError("The working directory is not there any more: run this in another one.", { cause });
  }
}
