import { formatScope, neededAccess, type Access } from "./access.ts";
import type { Call } from "./call.ts";
import { Refusal, type Reply } from "./reply.ts";
import type { Route } from "./route.ts";
import { tokenServer } from "./tokens.ts";
import { unauthorized, userOf, type BearerAuth, type RegistryAuth } from "./users.ts";

/** Lets a request through, or throws what it is refused with. */
export interface Guard {
  check(call: Call, route: Route): void;
  answerToken(call: Call): Promise<Reply>;
}

export function guard(auth: RegistryAuth | undefined): Guard {
  switch (auth?.type) {
    case undefined:
      return { check: () => {}, answerToken: noTokens };
    case "basic":
      return {
        check(call) {
          if (userOf(call.headers.authorization, auth.users) !== undefined) return;
          throw unauthorized('Basic realm="registry"');
        },
        answerToken: noTokens,
      };
    case "bearer": {
      const tokens = tokenServer(auth);
      return {
        check(call, route) {
          if (route.kind === "token") return;
          const needed = neededAccess(call, route);
          const [, token] = /^bearer +(\S+) *$/i.exec(call.headers.authorization ?? "") ?? [];
          const granted = token === undefined ? undefined : tokens.accessOf(token);
          if (granted !== undefined && needed.every((access) => covers(granted, access))) return;
          throw unauthorized(
            challenge(auth, call, needed, token === undefined ? undefined : granted === undefined),
          );
        },
        answerToken: (call) => tokens.answer(call),
      };
    }
  }
}

function covers(granted: readonly Access[], { name, actions }: Access): boolean {
  return actions.every((action) =>
    granted.some((access) => access.name === name && access.actions.includes(action)),
  );
}

function challenge(
  auth: BearerAuth,
  call: Call,
  needed: readonly Access[],
  isUnknown: boolean | undefined,
): string {
  const error = isUnknown === true ? "invalid_token" : "insufficient_scope";
  const parameters = [
    `realm="${auth.realm ?? `${call.origin}/token`}"`,
    `service="${auth.service ?? new URL(call.origin).host}"`,
    ...(needed.length === 0 ? [] : [`scope="${formatScope(needed)}"`]),
    ...(isUnknown === undefined ? [] : [`error="${error}"`]),
  ];
  return `Bearer ${parameters.join(",")}`;
}

async function noTokens(): Promise<Reply> {
  throw new Refusal(404, "UNSUPPORTED", "This registry gives no tokens.");
}
