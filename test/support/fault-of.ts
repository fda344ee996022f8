import { UndockedError } from "@undocked/registry";

/** The error that is thrown on purpose; any other goes on, and it is an error if there is none. */
export function faultOf(run: () => unknown): UndockedError {
  try {
    run();
  } catch (error) {
    if (error instanceof UndockedError) return error;
    throw error;
  }
  throw new Error("no fault was found");
}
