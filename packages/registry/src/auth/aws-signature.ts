import { createHash, createHmac } from "node:crypto";

/** An AWS access key. */
export interface AwsKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface AwsRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  /** Lower-case names, `host` and `x-amz-date` not among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * The headers that sign a request by AWS Signature Version 4, for a path and headers without anything to encode and no
 * query.
 *
 * @param now - milliseconds
 */
export function signAwsRequest(
  request: AwsRequest,
  key: AwsKey,
  region: string,
  service: string,
  now: number,
): Readonly<Record<string, string>> {
  const date = `${new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
  const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`;
  const headers: Readonly<Record<string, string>> = {
    ...request.headers,
    host: request.host,
    "x-amz-date": date,
    ...(key.sessionToken === undefined ? {} : { "x-amz-security-token": key.sessionToken }),
  };
  const names = Object.keys(headers).sort();
  const signedHeaders = names.join(";");
  const canonical = [
    request.method,
    request.path,
    "",
    ...names.map((name) => `${name}:${(headers[name] ?? "").trim()}`),
    "",
    signedHeaders,
    sha256(request.body),
  ].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", date, scope, sha256(canonical)].join("\n");
  const signingKey = [date.slice(0, 8), region, service, "aws4_request"].reduce<Buffer | string>(
    (secret, part) => createHmac("sha256", secret).update(part).digest(),
    `AWS4${key.secretAccessKey}`,
  );
  const signature = createHmac("sha256", signingKey).update(toSign).digest("hex");
  const { host: _, ...sent } = headers;
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${key.accessKeyId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`,
  };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
