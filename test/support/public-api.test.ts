import { expect, test } from "vitest";
import { publicApi } from "./public-api.ts";

const files: Record<string, string> = {
  "/index.d.ts":
    'export * from "./a.ts";\nexport { inner as outer, type C } from "./b.js";\n//# sourceMappingURL=x\n',
  "/a.d.ts": [
    'import type { Hidden } from "./hidden.ts";',
    "/** Says something. */",
    "export declare function a(text: string): string;",
    "export declare function a(text: Hidden): string;",
    "export interface B {",
    "    /** In it. */",
    "    readonly one: number;",
    "}",
    "declare const own: number;",
    "export {};",
  ].join("\n"),
  "/b.d.ts":
    "export declare const inner: number;\nexport type C =\n    | 1\n    | 2;\nexport declare class Left {\n}\n",
};

test("the public API is what the entry exports, sorted, without comments", () => {
  expect(publicApi("/index.d.ts", (path) => files[path] ?? "")).toBe(
    [
      "export interface B {\n    readonly one: number;\n}\n",
      "export type C =\n    | 1\n    | 2;\n",
      "export declare function a(text: string): string;\nexport declare function a(text: Hidden): string;\n",
      "// exported as outer\nexport declare const inner: number;\n",
    ].join("\n"),
  );
});
