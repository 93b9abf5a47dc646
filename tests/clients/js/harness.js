// What the tests share: an AWS account for each, the program, and the form of every error.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { randomInt, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { ChimeClient, ChimeServiceException, CreateAccountCommand } from "@aws-sdk/client-chime";

export const NO_ACCOUNT = "00000000-0000-7000-8000-000000000000";
export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Runs the program, and returns what it prints. */
async function campanile(options, ...command) {
  const { stdout } = await promisify(execFile)(process.env.TEST_BINARY, command, options);
  return JSON.parse(stdout);
}

/** Returns the credentials of an AWS account that no other test uses. */
async function newAwsAccount() {
  const id = String(randomInt(10 ** 12)).padStart(12, "0");
  const { AccessKey } = await campanile({}, "keys", "create", "--aws-account-id", id);
  return { id, accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey };
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
  const embedded = process.env.TEST_ENGINE === "embedded";
  const store = embedded ? `embedded:${join(folder, "data")}` : "memory:";
  const credentials = { accessKeyId: "AKIATHROTTLED", secretAccessKey: "secret" };
  const command = ["serve", "--listen", "127.0.0.1:0", "--store", store, "--log-level", "warn"];
  const server = spawn(process.env.TEST_BINARY, [...command, ...settings], {
    env: {
      CAMPANILE_ROOT_ACCESS_KEY_ID: credentials.accessKeyId,
      CAMPANILE_ROOT_SECRET_ACCESS_KEY: credentials.secretAccessKey,
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
  const env = {
    ...process.env,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
  const members = JSON.stringify({ AccountId, DomainName: `${randomUUID()}.example` });
  return campanile({ env }, "call", "ClaimDomain", members);
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
