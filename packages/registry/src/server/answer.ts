import type { Guard } from "./auth.ts";
import { methodNotAllowed, type Call } from "./call.ts";
import { answerBlob } from "./blobs.ts";
import { answerReferrers, answerTags } from "./lists.ts";
import { answerManifest } from "./manifests.ts";
import { jsonReply, Refusal, refusalReply, type Reply } from "./reply.ts";
import { repository } from "./repository.ts";
import { parseRoute, type Route } from "./route.ts";
import type { Storage } from "./storage.ts";
import type { Uploads } from "./uploads.ts";

export type Answer = (call: Call) => Promise<Reply>;

/** The distribution API over a storage. */
export function distribution(
  storage: Storage,
  uploads: Uploads,
  guard: Guard,
): (call: Call, route: Route) => Promise<Reply> {
  return async (call, route) => {
    guard.check(call, route);
    switch (route.kind) {
      case "base":
        if (call.method !== "GET" && call.method !== "HEAD") throw methodNotAllowed(call, "GET", "HEAD");
        return jsonReply(200, {});
      case "token":
        return guard.answerToken(call);
      case "blob":
        return answerBlob(call, repository(storage, route.name), route.digest);
      case "uploads":
        return uploads.begin(call, route.name);
      case "upload":
        return uploads.proceed(call, route.name, route.id);
      case "manifest":
        return answerManifest(call, repository(storage, route.name), route.reference);
      case "tags":
        return answerTags(call, repository(storage, route.name));
      case "referrers":
        return answerReferrers(call, repository(storage, route.name), route.digest);
    }
  };
}

/** Turns what is thrown on purpose into its reply. */
export function answering(answer: (call: Call, route: Route) => Promise<Reply>): Answer {
  return async (call) => {
    try {
      const reply = await answer(call, parseRoute(call.path));
      return versioned(reply);
    } catch (error) {
      if (error instanceof Refusal) return versioned(refusalReply(error));
      throw error;
    }
  };
}

/** The header by which old clients know the API. */
function versioned(reply: Reply): Reply {
  return { ...reply, headers: { "docker-distribution-api-version": "registry/2.0", ...reply.headers } };
}

/** For what is thrown and was not meant to be. */
export function brokenReply(): Reply {
  return refusalReply(new Refusal(500, "UNKNOWN", "The registry could not answer."));
}
