// The user operations, as the AWS SDK for JavaScript calls them.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AssociateSigninDelegateGroupsWithAccountCommand,
  BadRequestException,
  BatchSuspendUserCommand,
  BatchUnsuspendUserCommand,
  BatchUpdateUserCommand,
  ConflictException,
  CreateUserCommand,
  DeleteAccountCommand,
  GetAccountCommand,
  GetAccountSettingsCommand,
  GetRetentionSettingsCommand,
  GetUserCommand,
  GetUserSettingsCommand,
  InviteUsersCommand,
  ListAccountsCommand,
  ListUsersCommand,
  LogoutUserCommand,
  NotFoundException,
  PutRetentionSettingsCommand,
  ResetPersonalPINCommand,
  UnprocessableEntityException,
  UpdateAccountSettingsCommand,
  UpdateUserCommand,
  UpdateUserSettingsCommand,
  paginateListUsers,
} from "@aws-sdk/client-chime";
import { UUID, claimDomain, created, newClient, refused } from "./harness.js";

const DAY = 24 * 60 * 60 * 1000;
// The members of the service model's User. What the service sent besides, the SDK drops.
const MODELLED = new Set([
  "AccountId", "AlexaForBusinessMetadata", "DisplayName", "InvitedOn", "LicenseType", "PersonalPIN",
  "PrimaryEmail", "PrimaryProvisionedNumber", "RegisteredOn", "UserId", "UserInvitationStatus",
  "UserRegistrationStatus", "UserType",
]);

/** Returns a client and an Enterprise account with a user in it. */
async function enterprise(t) {
  const { client, credentials } = await newClient(t);
  const { AccountId } = await created(client, "Enterprise");
  await claimDomain(credentials, AccountId);
  const person = new CreateUserCommand({ AccountId, Email: "jane.doe@example.com" });
  const { User } = await client.send(person);
  return { client, AccountId, User, UserId: User.UserId };
}

/** Checks that a command answers its status and no member. */
async function answersNothing(client, command, status) {
  const { $metadata, ...members } = await client.send(command);
  assert.equal($metadata.httpStatusCode, status);
  assert.deepEqual(members, {});
}

test("people are invited, listed page by page, and found by their address", async (t) => {
  const { client } = await newClient(t);
  const { AccountId } = await created(client, "Team");
  const UserEmailList = Array.from({ length: 25 }, (_, number) => `User${number}@example.com`);
  const before = Date.now();
  const answer = await client.send(new InviteUsersCommand({ AccountId, UserEmailList }));
  assert.equal(answer.$metadata.httpStatusCode, 201);
  assert.deepEqual(answer.Invites.map((invite) => invite.EmailAddress), UserEmailList);
  assert.ok(answer.Invites.every((invite) => UUID.test(invite.InviteId)));
  assert.ok(answer.Invites.every((invite) => invite.Status === "Pending"));
  const users = [];
  const sizes = [];
  for await (const page of paginateListUsers({ client, pageSize: 10 }, { AccountId })) {
    users.push(...page.Users);
    sizes.push(page.Users.length);
  }
  assert.deepEqual(sizes, [10, 10, 5]);
  assert.deepEqual(users.map((user) => user.PrimaryEmail).sort(), UserEmailList.toSorted());
  for (const user of users) {
    assert.ok(user.InvitedOn instanceof Date);
    assert.ok(user.InvitedOn >= before && user.InvitedOn <= Date.now());
    assert.equal(user.UserRegistrationStatus, "Unregistered");
    assert.ok(user.PersonalPIN == null);
  }
  const UserEmail = "user7@EXAMPLE.com";
  const found = await client.send(new ListUsersCommand({ AccountId, UserEmail }));
  assert.deepEqual(found.Users.map((user) => user.PrimaryEmail), ["User7@example.com"]);
  const { Accounts } = await client.send(new ListAccountsCommand({ UserEmail }));
  assert.deepEqual(Accounts.map((account) => account.AccountId), [AccountId]);
});

test("a user is got, given another license, suspended and let in again", async (t) => {
  const { client, AccountId, User, UserId } = await enterprise(t);
  const got = async () => (await client.send(new GetUserCommand({ AccountId, UserId }))).User;
  assert.match(User.PersonalPIN, /^\d{10}$/);
  assert.ok(User.RegisteredOn instanceof Date);
  const registered = await got();
  assert.deepEqual(registered, User);
  for (const member of Object.keys(registered)) {
    assert.ok(MODELLED.has(member), member);
  }
  const update = new UpdateUserCommand({ AccountId, UserId, LicenseType: "Basic" });
  const updated = (await client.send(update)).User;
  const filled = Object.entries(updated).filter(([, value]) => value != null);
  assert.deepEqual(filled, [["UserId", UserId]]);
  assert.deepEqual(await got(), { ...registered, LicenseType: "Basic" });
  const UpdateUserRequestItems = [{ UserId, LicenseType: "Pro" }, { UserId: "unknown" }];
  const batch = new BatchUpdateUserCommand({ AccountId, UpdateUserRequestItems });
  const [error] = (await client.send(batch)).UserErrors;
  assert.deepEqual([error.UserId, error.ErrorCode], ["unknown", "NotFound"]);
  const ids = { AccountId, UserIdList: [UserId] };
  assert.deepEqual((await client.send(new BatchSuspendUserCommand(ids))).UserErrors, []);
  assert.deepEqual(await got(), { ...registered, UserRegistrationStatus: "Suspended" });
  assert.deepEqual((await client.send(new BatchUnsuspendUserCommand(ids))).UserErrors, []);
  assert.deepEqual(await got(), registered);
  const reset = await client.send(new ResetPersonalPINCommand({ AccountId, UserId }));
  assert.notEqual(reset.User.PersonalPIN, registered.PersonalPIN);
  assert.equal((await got()).PersonalPIN, reset.User.PersonalPIN);
});

test("what has nothing to say answers nothing", async (t) => {
  const { client, AccountId, UserId } = await enterprise(t);
  await answersNothing(client, new LogoutUserCommand({ AccountId, UserId }), 204);
  const AccountSettings = { DisableRemoteControl: true };
  const change = new UpdateAccountSettingsCommand({ AccountId, AccountSettings });
  await answersNothing(client, change, 204);
  const settings = await client.send(new GetAccountSettingsCommand({ AccountId }));
  const expected = { DisableRemoteControl: true, EnableDialOut: false };
  assert.deepEqual(settings.AccountSettings, expected);
  const UserSettings = {
    Telephony: { InboundCalling: true, OutboundCalling: false, SMS: true },
  };
  const telephony = new UpdateUserSettingsCommand({ AccountId, UserId, UserSettings });
  await answersNothing(client, telephony, 204);
  const ofUser = await client.send(new GetUserSettingsCommand({ AccountId, UserId }));
  assert.deepEqual(ofUser.UserSettings, UserSettings);
  const SigninDelegateGroups = [{ GroupName: "b" }, { GroupName: "a" }];
  const associate = { AccountId, SigninDelegateGroups };
  const command = new AssociateSigninDelegateGroupsWithAccountCommand(associate);
  await answersNothing(client, command, 200);
  const { Account } = await client.send(new GetAccountCommand({ AccountId }));
  assert.deepEqual(Account.SigninDelegateGroups, SigninDelegateGroups);
});

test("retention is put without an answer, and begins in 30 days", async (t) => {
  const { client, AccountId } = await enterprise(t);
  const RetentionSettings = { RoomRetentionSettings: { RetentionDays: 30 } };
  const before = Date.now();
  const put = new PutRetentionSettingsCommand({ AccountId, RetentionSettings });
  // The model gives the 204 members; HTTP forbids it a body.
  await answersNothing(client, put, 204);
  const answer = await client.send(new GetRetentionSettingsCommand({ AccountId }));
  assert.equal(answer.RetentionSettings.RoomRetentionSettings.RetentionDays, 30);
  assert.ok(answer.RetentionSettings.ConversationRetentionSettings == null);
  const deletion = answer.InitiateDeletionTimestamp;
  assert.ok(deletion instanceof Date);
  assert.ok(deletion >= before + 30 * DAY && deletion <= Date.now() + 30 * DAY);
});

test("every error is of its class", async (t) => {
  const { client, AccountId } = await enterprise(t);
  const team = (await created(client, "Team")).AccountId;
  const device = { Email: "JANE.DOE@example.com", UserType: "SharedDevice" };
  const person = { AccountId: team, Email: "john@example.com" };
  for (const [command, status, type, code, message] of [
    [new CreateUserCommand({ AccountId: team, ...device }), 409, ConflictException, "Conflict", /Email/],
    [new CreateUserCommand(person), 400, BadRequestException, "BadRequest", /Team/],
    [
      new DeleteAccountCommand({ AccountId }), 422,
      UnprocessableEntityException, "Unprocessable", /domains/,
    ],
    [
      new GetUserCommand({ AccountId, UserId: "unknown" }), 404,
      NotFoundException, "NotFound", /unknown/,
    ],
  ]) {
    const error = await refused(client, command, status);
    assert.ok(error instanceof type, error);
    assert.equal(error.name, type.name);
    assert.equal(error.Code, code);
    assert.match(error.message, message);
  }
});
