// A program whose SDK retries does not notice that it asks too fast.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CreateAccountCommand,
  ListAccountsCommand,
  ThrottledClientException,
} from "@aws-sdk/client-chime";
import { startServer } from "./harness.js";

const CALLS = 20;
const SETTINGS = ["--rate-caller-writes", "20/5"];

for (const retryMode of ["standard", "adaptive"]) {
  test(`retries in the mode ${retryMode} ride through`, async (t) => {
    const { client } = await startServer(t, SETTINGS, { retryMode, maxAttempts: 10 });
    const names = Array.from({ length: CALLS }, (_, i) => `Site ${String(i).padStart(2, "0")}`);
    const created = await Promise.all(
      names.map((Name) => client.send(new CreateAccountCommand({ Name }))),
    );
    assert.ok(created.some((answer) => answer.$metadata.attempts > 1), "nothing was refused");
    const { Accounts } = await client.send(new ListAccountsCommand({}));
    assert.deepEqual(Accounts.map((account) => account.Name), names);
  });
}

test("who does not retry gets the modelled exception", async (t) => {
  const { client } = await startServer(t, SETTINGS, { maxAttempts: 1 });
  const calls = Array.from({ length: CALLS }, (_, i) =>
    client.send(new CreateAccountCommand({ Name: `Site ${i}` })).catch((error) => error),
  );
  const errors = (await Promise.all(calls)).filter((answer) => answer instanceof Error);
  assert.ok(errors.length > 0, "nothing was refused");
  for (const error of errors) {
    assert.ok(error instanceof ThrottledClientException, error);
    assert.equal(error.$metadata.httpStatusCode, 429);
    assert.equal(error.$response.headers["retry-after"], "1");
    assert.match(error.message, /^Rate exceeded: --rate-caller-writes lets /);
  }
});
