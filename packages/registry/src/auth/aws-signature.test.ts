import { expect, test } from "vitest";
import { findAwsKey } from "./aws-key.ts";
import { signAwsRequest } from "./aws-signature.ts";

test("a request is signed as in AWS's published example", () => {
  const signed = signAwsRequest(
    { method: "GET", host: "example.amazonaws.com", path: "/", headers: {}, body: "" },
    { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" },
    "us-east-1",
    "service",
    Date.parse("2015-08-30T12:36:00Z"),
  );
  expect(signed["authorization"]).toBe(
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, " +
      "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
  );
});

const file = `
# comment
[default]
aws_access_key_id = A
aws_secret_access_key=B=C
[ other ]
aws_access_key_id = D
aws_secret_access_key = E
aws_session_token = F
`;

test.each([
  [
    "the environment",
    { AWS_ACCESS_KEY_ID: "X", AWS_SECRET_ACCESS_KEY: "Y" },
    { accessKeyId: "X", secretAccessKey: "Y" },
  ],
  ["the default profile", {}, { accessKeyId: "A", secretAccessKey: "B=C" }],
  [
    "a named profile",
    { AWS_PROFILE: "other" },
    { accessKeyId: "D", secretAccessKey: "E", sessionToken: "F" },
  ],
  ["a profile that is not there", { AWS_PROFILE: "none" }, undefined],
])("a key comes from %s", async (_, environment, key) => {
  const readFile = async (path: string): Promise<string | undefined> =>
    path === "/h/.aws/credentials" ? file : undefined;
  expect(await findAwsKey({ environment, home: "/h", readFile })).toEqual(key);
});
