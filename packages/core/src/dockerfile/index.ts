export type * from "./ast.ts";
export type { CheckOptions } from "./check-options.ts";
