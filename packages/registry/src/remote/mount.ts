import { repositoryScope } from "../auth/scope.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { CallOptions } from "../store/store.ts";
import { exchange } from "./exchange.ts";
import { drain } from "./http.ts";
import { RegistryError } from "./registry-error.ts";
import type { RepositoryContext } from "./context.ts";
import { cancelSession, sessionAt } from "./upload-session.ts";

/**
 * Takes a blob over from another repository of the same registry.
 *
 * @param from - the path of that repository
 * @returns `false` where it has to be sent: there is no such blob, no right to it, no such thing as mounting, or it fails
 */
export async function mountBlob(
  context: RepositoryContext,
  target: Descriptor,
  from: string,
  options: CallOptions,
): Promise<boolean> {
  const { line, registry, repository } = context;
  if (from === repository) return false;
  // A token is for one login: what another one may read cannot be mounted.
  const [own, other] = await Promise.all([
    line.credentials({ registry, repository }),
    line.credentials({ registry, repository: from }),
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
    await cancelSession(context, sessionAt(answer));
    options.signal?.throwIfAborted();
    return false;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof RegistryError) return false;
    throw error;
  }
}
