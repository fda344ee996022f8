const SECRET = /(?:^|_)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
/** What makes such a name harmless: it is public, or says where a secret is and not what it is. */
const HARMLESS = /(?:^|_)(?:public|file|version)(?:_|$)/i;

/** Whether a variable's name tells of a secret, which an image would show to everybody. */
export function looksSecret(name: string): boolean {
  return SECRET.test(name) && !HARMLESS.test(name);
}
