import { repositoryScope } from "../auth/scope.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { MountOptions, OpenedUpload } from "../store/store.ts";
import { exchange } from "./exchange.ts";
import { drain } from "./http.ts";
import { RegistryError } from "./registry-error.ts";
import type { RepositoryContext } from "./context.ts";
import { cancelSession, sessionAt, type UploadSession } from "./upload-session.ts";

/**
 * Takes a blob over from another repository of the same registry. Where the registry opens an upload instead
 * (distribution-spec, "Mounting a blob from another repository"), who is told of it can send the blob by that.
 *
 * @param from - the path of that repository
 * @returns `false` where it has to be sent: there is no such blob, no right to it, no such thing as mounting, or it fails
 */
export async function mountBlob(
  context: RepositoryContext,
  target: Descriptor,
  from: string,
  options: MountOptions,
): Promise<boolean> {
  const { line, registry, repository } = context;
  if (from === repository) return false;
  const call = options.signal === undefined ? {} : { signal: options.signal };
  // A token is for one login: what another one may read cannot be mounted.
  const [own, other] = await Promise.all([
    line.credentials({ registry, repository }, call),
    line.credentials({ registry, repository: from }, call),
  ]);
  if (JSON.stringify(own) !== JSON.stringify(other)) return false;
  try {
    const answer = await exchange(line, {
      method: "POST",
      url: `${context.base}/blobs/uploads/?mount=${encodeURIComponent(target.digest)}&from=${encodeURIComponent(from)}`,
      permission: { repository, scopes: [...context.push, repositoryScope(from, "pull")] },
      expect: [201, 202],
      subject: "repository",
      linger: true,
      repeat: "once",
      signal: options.signal,
    });
    await drain(answer);
    if (answer.status === 201) return true;
    const upload = openedUpload(context, sessionAt(answer));
    if (options.onUpload === undefined || options.signal?.aborted === true) {
      await upload[Symbol.asyncDispose]();
      options.signal?.throwIfAborted();
    } else options.onUpload(upload);
    return false;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof RegistryError) return false;
    throw error;
  }
}

/** Sessions that nobody has used yet, and whose they are. */
const unused = new WeakMap<OpenedUpload, { readonly base: string; readonly session: UploadSession }>();

function openedUpload(context: RepositoryContext, session: UploadSession): OpenedUpload {
  const upload: OpenedUpload = {
    async [Symbol.asyncDispose]() {
      const left = takeSession(context, upload);
      if (left !== undefined) await cancelSession(context, left);
    },
  };
  unused.set(upload, { base: context.base, session });
  return upload;
}

/** The session of an upload, for one use; that of another repository is not to be had. */
export function takeSession(
  { base }: RepositoryContext,
  upload: OpenedUpload | undefined,
): UploadSession | undefined {
  const found = upload === undefined ? undefined : unused.get(upload);
  if (upload === undefined || found?.base !== base) return undefined;
  unused.delete(upload);
  return found.session;
}
