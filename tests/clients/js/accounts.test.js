// The account operations, as the AWS SDK for JavaScript calls them.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BadRequestException,
  ChimeClient,
  CreateAccountCommand,
  DeleteAccountCommand,
  GetAccountCommand,
  ListAccountsCommand,
  ListPhoneNumbersCommand,
  NotFoundException,
  UpdateAccountCommand,
  paginateListAccounts,
} from "@aws-sdk/client-chime";
import { NO_ACCOUNT, UUID, created, newClient, refused } from "./harness.js";

async function walk(client, pageSize, filter = {}) {
  const pages = [];
  for await (const page of paginateListAccounts({ client, pageSize }, filter)) {
    pages.push(page.Accounts.map((account) => account.Name));
  }
  return pages;
}

test("an account is created with the defaults of the service", async (t) => {
  const { client, id } = await newClient(t);
  const before = Date.now();
  const answer = await client.send(new CreateAccountCommand({ Name: "Zürich 東京 😀" }));
  assert.equal(answer.$metadata.httpStatusCode, 201);
  assert.match(answer.$metadata.requestId, UUID);
  const { AccountId, CreatedTimestamp, ...rest } = answer.Account;
  assert.match(AccountId, UUID);
  assert.ok(CreatedTimestamp instanceof Date);
  assert.ok(CreatedTimestamp >= before && CreatedTimestamp <= Date.now());
  const modelled = {
    AccountStatus: "Active",
    AccountType: "Team",
    AwsAccountId: id,
    DefaultLicense: "Pro",
    Name: "Zürich 東京 😀",
    SigninDelegateGroups: [],
    SupportedLicenses: ["Basic", "Pro"],
  };
  for (const [member, value] of Object.entries(modelled)) {
    assert.deepEqual(rest[member], value, member);
  }
});

test("an account lives from create to delete", async (t) => {
  const { client } = await newClient(t);
  const account = await created(client, "a");
  const { AccountId } = account;
  const got = await client.send(new GetAccountCommand({ AccountId }));
  assert.deepEqual(got.Account, account);
  const update = new UpdateAccountCommand({ AccountId, Name: "b", DefaultLicense: "Basic" });
  const updated = await client.send(update);
  assert.deepEqual(updated.Account, { ...account, Name: "b", DefaultLicense: "Basic" });
  const listed = await client.send(new ListAccountsCommand({}));
  assert.deepEqual(listed.Accounts, [updated.Account]);
  assert.ok(listed.NextToken == null);
  const deleted = await client.send(new DeleteAccountCommand({ AccountId }));
  assert.equal(deleted.$metadata.httpStatusCode, 204);
  await refused(client, new DeleteAccountCommand({ AccountId }), 404);
  assert.deepEqual(await walk(client), [[]]);
});

test("the paginator walks all accounts in the order of their names", async (t) => {
  const { client } = await newClient(t);
  const names = Array.from({ length: 25 }, (_, number) => `Site ${String.fromCharCode(65 + number)}`);
  await Promise.all(names.toReversed().map((Name) => created(client, Name)));
  const pages = await walk(client, 10);
  assert.deepEqual(pages, [names.slice(0, 10), names.slice(10, 20), names.slice(20)]);
  assert.deepEqual(await walk(client, 10, { Name: "Site C" }), [["Site C"]]);
});

test("an unknown account is NotFoundException", async (t) => {
  const { client } = await newClient(t);
  const error = await refused(client, new GetAccountCommand({ AccountId: NO_ACCOUNT }), 404);
  assert.ok(error instanceof NotFoundException);
  assert.equal(error.name, "NotFoundException");
  assert.equal(error.Code, "NotFound");
  // The SDK moves what the wire has as `Message`.
  assert.match(error.message, new RegExp(NO_ACCOUNT));
});

test("a member that breaks a constraint is BadRequestException", async (t) => {
  const { client } = await newClient(t);
  for (const Name of ["", " ", "x".repeat(101), undefined]) {
    const error = await refused(client, new CreateAccountCommand({ Name }), 400);
    assert.ok(error instanceof BadRequestException);
    assert.equal(error.Code, "BadRequest");
    assert.match(error.message, /Name/);
  }
});

test("an operation that is not there yet is UnknownOperationException", async (t) => {
  const { client } = await newClient(t);
  const error = await refused(client, new ListPhoneNumbersCommand({}), 404);
  assert.equal(error.name, "UnknownOperationException");
});

test("a wrong secret and an unknown key are refused", async (t) => {
  const { credentials } = await newClient(t);
  const expected = [
    [{ ...credentials, secretAccessKey: "wrong" }, "InvalidSignatureException"],
    [{ ...credentials, accessKeyId: "AKIAUNKNOWN" }, "UnrecognizedClientException"],
    [{ ...credentials, sessionToken: "FwoGZXIvYXdzEXAMPLE" }, "UnrecognizedClientException"],
  ];
  for (const [wrong, name] of expected) {
    const client = new ChimeClient({ credentials: wrong });
    t.after(() => client.destroy());
    const error = await refused(client, new ListAccountsCommand({}), 403);
    assert.equal(error.name, name);
  }
});

test("any region is accepted, and another AWS account sees nothing", async (t) => {
  const { client } = await newClient(t, { region: "eu-central-1" });
  const { client: other } = await newClient(t);
  const { AccountId } = await created(client, "ours");
  await refused(other, new GetAccountCommand({ AccountId }), 404);
  assert.deepEqual(await walk(other), [[]]);
  assert.deepEqual(await walk(client), [["ours"]]);
});
