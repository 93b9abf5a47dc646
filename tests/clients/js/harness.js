// What the tests share: an AWS account for each, the program, and the form of every error.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { once } from "node:events";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { ChimeClient, ChimeServiceException, CreateAccountCommand } from "@aws-sdk/client-chime";

export const NO_ACCOUNT = "00000000-0000-7000-8000-000000000000";
// The root of server.py.
const ROOT = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};
export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Runs the program, and returns what it prints. */
async function campanile(options, ...command) {
  const { stdout } = await promisify(execFile)(process.env.TEST_BINARY, command, options);
  return JSON.parse(stdout || "{}");
}

/** Runs the program with credentials. */
function campanileAs(credentials, ...command) {
  const env = {
    ...process.env,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
  return campanile({ env }, ...command);
}

/** Makes an access key, and notes its secret for the search that ends a run of all tests. */
async function newKey(credentials, ...options) {
  const { AccessKey } = await campanileAs(credentials, "keys", "create-access-key", ...options);
  await noteSecret("SecretAccessKey", AccessKey.SecretAccessKey);
  return { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey };
}

async function noteSecret(kind, value) {
  const file = process.env.TEST_SECRETS;
  if (file) await appendFile(file, `${kind}\t${value}\n`);
}

/** Returns the credentials of an AWS account that no other test uses: of a user, if the suite runs as one. */
async function newAwsAccount() {
  const id = String(randomInt(10 ** 12)).padStart(12, "0");
  const root = await newKey(ROOT, "--aws-account-id", id);
  const policy = process.env.TEST_POLICY;
  if (!policy) return { id, ...root };
  const user = ["--user-name", "least"];
  await campanileAs(root, "users", "create-user", ...user);
  const put = ["--policy-name", "least", "--policy-document", `file://${policy}`];
  await campanileAs(root, "users", "put-user-policy", ...user, ...put);
  return { id, ...(await newKey(root, ...user)) };
}

/** Returns a client that is told nothing about the server but by its environment. */
export async function newClient(t, settings = {}) {
  const { id, ...credentials } = await newAwsAccount();
  const client = new ChimeClient({ credentials, ...settings });
  t.after(() => client.destroy());
  return { client, id, credentials };
}

/** Starts a server with settings of its own, and returns a client of its root. */
export async function startServer(t, settings, clientSettings) {
  const folder = await mkdtemp(join(tmpdir(), "campanile-test-"));
  const schema = `js_${randomUUID().replaceAll("-", "")}`;
  const store = {
    memory: "memory:",
    embedded: `embedded:${join(folder, "data")}`,
    postgres: `${process.env.TEST_POSTGRES_URL}?options=-c%20search_path%3D${schema}`,
  }[process.env.TEST_ENGINE];
  const credentials = {
    accessKeyId: "AKIATHROTTLED",
    secretAccessKey: randomUUID(),
  };
  await noteSecret("RootSecretAccessKey", credentials.secretAccessKey);
  const command = ["serve", "--listen", "127.0.0.1:0", "--store", store, "--log-level", "warn"];
  const server = spawn(process.env.TEST_BINARY, [...command, ...settings], {
    env: {
      CAMPANILE_ROOT_ACCESS_KEY_ID: credentials.accessKeyId,
      CAMPANILE_ROOT_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      CAMPANILE_MASTER_KEY: randomBytes(32).toString("base64"),
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(server, "exit");
  t.after(async () => {
    server.kill("SIGTERM");
    assert.deepEqual(await ended, [0, null]);
    await rm(folder, { recursive: true });
  });
  const client = new ChimeClient({
    credentials,
    endpoint: await listening(server),
    ...clientSettings,
  });
  t.after(() => client.destroy());
  return { client };
}

/** Returns the URL on which a server says that it listens. */
async function listening(server) {
  for await (const line of createInterface({ input: server.stdout })) {
    const [, url] = line.match(/^listening on (.*)$/) ?? [];
    if (url) return url;
  }
  return assert.fail("the server ended before it listened");
}

/** Creates a Team account. */
export async function created(client, Name) {
  return (await client.send(new CreateAccountCommand({ Name }))).Account;
}

/** Makes an Enterprise account of a Team account, as AWS's console did, by claiming a domain. */
export async function claimDomain(credentials, AccountId) {
  const members = JSON.stringify({ AccountId, DomainName: `${randomUUID()}.example` });
  return campanileAs(credentials, "call", "ClaimDomain", members);
}

/** Returns the error that a command must end in, once its common parts are checked. */
export async function refused(client, command, status) {
  const error = await client.send(command).then(
    () => assert.fail("the command succeeded"),
    (error) => error,
  );
  assert.ok(error instanceof ChimeServiceException, error);
  assert.equal(error.$metadata.httpStatusCode, status);
  assert.equal(error.$fault, "client");
  assert.match(error.$metadata.requestId, UUID);
  return error;
}
