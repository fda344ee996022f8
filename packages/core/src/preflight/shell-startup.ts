import type { ShellMode } from "./shell-command.ts";

/**
 * Whether a shell reads files of commands before what it is told to run: they may set PATH and all else, go to another directory and
 * define functions (POSIX.1-2017, XCU sh, ENV; bash(1), "INVOCATION"; zsh(1), "STARTUP/SHUTDOWN FILES").
 *
 * @param shell - the name it is called by: bash that is called sh does as sh
 */
export function readsStartupFiles(
  shell: string,
  { isLogin, isInteractive }: ShellMode,
  environment: ReadonlyMap<string, string>,
): boolean {
  const isSet = (name: string): boolean => (environment.get(name) ?? "") !== "";
  if (isLogin || shell === "zsh") return true;
  if (shell === "bash") return isInteractive || isSet("BASH_ENV");
  return isInteractive && isSet("ENV");
}

/** Whether `export -f` has put a function of that name into the environment: bash takes it before any file. */
export function isExportedFunction(name: string, environment: ReadonlyMap<string, string>): boolean {
  return environment.has(`BASH_FUNC_${name}%%`);
}
