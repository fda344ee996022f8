/**
 * Whether a source of ADD names a git repository, so that it can be refused by name: `git://`, `ssh://`,
 * `user@host:path`, `github.com/owner/name`, or an http(s) URL whose path ends in `.git`.
 */
export function isGitReference(text: string): boolean {
  if (/^(git|ssh):\/\/[^/]/i.test(text)) return true;
  const http = /^https?:\/\/[^/]+(\/[^#?]*)/i.exec(text);
  if (http !== null) return (http[1] ?? "").endsWith(".git") && !/^[^#]*#:?#/.test(text);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return false;
  if (text.startsWith("github.com/")) return true;
  return /^[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:[^/\s]?\S*$/.test(text);
}

/** The same, but for what could as well be a path: `github.com/owner/name`. */
export function namesGit(text: string): boolean {
  return isGitReference(text) && !text.startsWith("github.com/");
}

/** Whether a source of ADD is fetched: an http or https URL that is no git repository. */
export function isHttpSource(text: string): boolean {
  return /^https?:\/\//i.test(text) && !isGitReference(text);
}
