import { UndockedError, type Diagnostic, type Location } from "@undocked/registry";

/** Several independent faults, found before anything was fetched or written. */
export class BuildError extends UndockedError {}

/** Gathers what is wrong with independent parts of an input, so that it is told together. */
export interface Faults {
  /** Runs a part; what it refuses is kept, and `undefined` is given. */
  collect<T>(part: () => T): T | undefined;
  add(diagnostic: Diagnostic): void;
  /** Throws what was gathered, if anything was. */
  throwIfAny(): void;
  /** What was gathered; there must be something. */
  error(): UndockedError;
  /** The same, each by itself. */
  all(): readonly Diagnostic[];
}

export function faults(): Faults {
  const errors: UndockedError[] = [];
  return {
    collect(part) {
      try {
        return part();
      } catch (error) {
        if (!(error instanceof UndockedError)) throw error;
        errors.push(error);
        return undefined;
      }
    },
    add: (diagnostic) => void errors.push(errorOf(diagnostic)),
    throwIfAny() {
      if (errors.length > 0) throw together(errors);
    },
    error: () => together(errors),
    all: () => errors.flatMap(diagnosticsOf),
  };
}

/** One error for all: the first, with the faults of every one, in the order of the text; what has no place is first. */
function together(errors: readonly UndockedError[]): UndockedError {
  const [cause, ...more] = errors;
  if (cause === undefined) throw new Error("nothing was at fault");
  if (more.length === 0) return cause;
  const line = ({ location }: Diagnostic): number => location?.line ?? 0;
  const diagnostics = errors.flatMap(diagnosticsOf).toSorted((a, b) => line(a) - line(b));
  const { code, message, location, hint } = diagnostics[0] ?? cause;
  return new BuildError(code, message, {
    ...(location === undefined ? {} : { location }),
    ...(hint === undefined ? {} : { hint }),
    diagnostics,
    cause,
  });
}

function errorOf(diagnostic: Diagnostic): BuildError {
  const { code, message, location, hint } = diagnostic;
  return new BuildError(code, message, {
    ...(location === undefined ? {} : { location }),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Every fault that an error tells of. */
export function diagnosticsOf(error: UndockedError): readonly Diagnostic[] {
  if (error.diagnostics !== undefined && error.diagnostics.length > 0) return error.diagnostics;
  const { code, message, location, hint } = error;
  return [
    {
      code,
      severity: "error",
      message,
      ...(location === undefined ? {} : { location }),
      ...(hint === undefined ? {} : { hint }),
    },
  ];
}

/** Runs a step; what it refuses gets the step's place. */
export function located<T>(at: Location, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw placed(at, error);
  }
}

export async function locatedAsync<T>(at: Location, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw placed(at, error);
  }
}

function placed(at: Location, error: unknown): unknown {
  if (!(error instanceof UndockedError) || error.location !== undefined) return error;
  return new BuildError(error.code, error.message, {
    location: at,
    cause: error,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}
