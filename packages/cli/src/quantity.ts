import { UsageError, type Arguments } from "./args.ts";

/** Bytes of a flag such as `--max-size 500MB`. */
export function sizeOf(flags: Arguments, flag: string): number | undefined {
  return quantityOf(flags, flag, { kB: 1e3, MB: 1e6, GB: 1e9 });
}

/** Milliseconds of a flag such as `--max-age 30d`. */
export function ageOf(flags: Arguments, flag: string): number | undefined {
  return quantityOf(flags, flag, { m: 60_000, h: 3_600_000, d: 86_400_000 });
}

function quantityOf(
  flags: Arguments,
  flag: string,
  units: Readonly<Record<string, number>>,
): number | undefined {
  const text = flags.text(flag);
  if (text === undefined) return undefined;
  const [, amount, unit = ""] = /^(\d{1,9})([a-zA-Z]+)$/.exec(text) ?? [];
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (amount !== undefined && factor !== undefined) return Number(amount) * factor;
  throw new UsageError(
    `--${flag} takes a number and ${Object.keys(units).join(", ")}, not ${JSON.stringify(text)}.`,
  );
}
