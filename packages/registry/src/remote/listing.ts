import { z } from "zod";
import type { CallOptions } from "../store/store.ts";
import type { RepositoryContext } from "./context.ts";
import type { Answer, Call } from "./call.ts";
import { nextPage } from "./link.ts";
import { RegistryError } from "./registry-error.ts";
import { exchangeWhole, type WholeAnswer } from "./whole-answer.ts";

// Far beyond any repository; a server that goes on for ever is stopped here.
const PAGE_LIMIT = 10_000;
const PAGE_SIZE_LIMIT = 8 * 1024 * 1024;
// ECR takes no more.
const TAGS_A_PAGE = 1000;

const tagPage = z.object({
  tags: z
    .array(z.string())
    .nullish()
    .transform((tags) => tags ?? []),
});

/** The repository's tags, in the registry's order, a page at a time. */
export async function* listTags(
  context: RepositoryContext,
  options: CallOptions,
): AsyncGenerator<string, void, void> {
  const first = `${context.base}/tags/list?n=${TAGS_A_PAGE}`;
  for await (const { json, answer } of pages(context, first, options, [200])) {
    const page = tagPage.safeParse(json);
    if (!page.success) throw badPage(answer, "The list of tags does not have its form.");
    yield* page.data.tags;
  }
}

/** A page as JSON, and what it came with. */
export interface Page {
  readonly json: unknown;
  readonly answer: Answer;
}

/**
 * Follows the `Link`s of a listing, at its own origin only, without end nor circle (GHSA-h7vf-4x9w-h99v).
 *
 * @param expect - an answer that is not a 200 is given as it is, with `null`, and is the last
 */
export async function* pages(
  context: RepositoryContext,
  first: string,
  options: CallOptions,
  expect: readonly number[],
  headers: Readonly<Record<string, string>> = {},
): AsyncGenerator<Page, void, void> {
  const visited = new Set<string>();
  let url: string | undefined = first;
  while (url !== undefined) {
    if (visited.size >= PAGE_LIMIT || visited.has(url)) {
      throw new RegistryError("REGISTRY_PROTOCOL", "The pages of the listing go on for ever.", { url });
    }
    visited.add(url);
    const call: Call = {
      method: "GET",
      url,
      headers,
      permission: { repository: context.repository, scopes: context.pull },
      expect,
      subject: "repository",
      signal: options.signal,
    };
    const { answer, bytes }: WholeAnswer = await exchangeWhole(context.line, call, PAGE_SIZE_LIMIT);
    if (answer.status !== 200) {
      yield { json: null, answer };
      return;
    }
    if (bytes === undefined) {
      throw badPage(answer, `A page of the listing has more than ${PAGE_SIZE_LIMIT} bytes.`);
    }
    yield { json: parsePage(bytes, answer), answer };
    const next = nextPage(url, answer.headers.get("link"));
    if (next.kind === "refused") {
      throw new RegistryError(
        "REDIRECT_REFUSED",
        `The next page of the listing is not followed: ${next.reason}.`,
        {
          method: "GET",
          url,
        },
      );
    }
    url = next.kind === "page" ? next.url : undefined;
  }
}

function parsePage(bytes: Uint8Array, answer: Answer): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw badPage(answer, "A page of the listing is not JSON.");
  }
}

function badPage(answer: Answer, message: string): RegistryError {
  return new RegistryError("REGISTRY_PROTOCOL", message, {
    method: "GET",
    url: answer.url,
    status: answer.status,
  });
}
