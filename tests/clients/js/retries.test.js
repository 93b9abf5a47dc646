// What a client does not learn of, it asks for again by itself. It is done once all the same.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { test } from "node:test";
import {
  CreateAccountCommand,
  DeleteAccountCommand,
  ListAccountsCommand,
} from "@aws-sdk/client-chime";
import { created, newClient } from "./harness.js";

/** Starts what passes requests on to the server, and loses as many answers as it is told to. */
async function startRelay(t) {
  const relay = { toLose: 0, statuses: [] };
  const server = createServer((asked, answered) => {
    const { method, url, headers } = asked;
    const { hostname, port } = new URL(process.env.AWS_ENDPOINT_URL_CHIME);
    const passedOn = request({ hostname, port, method, path: url, headers }, async (answer) => {
      const body = Buffer.concat(await answer.toArray());
      relay.statuses.push(answer.statusCode);
      if (relay.toLose > 0) {
        relay.toLose -= 1;
        asked.socket.destroy();
        return;
      }
      answered.writeHead(answer.statusCode, answer.headers).end(body);
    });
    asked.pipe(passedOn);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  relay.endpoint = `http://127.0.0.1:${server.address().port}`;
  return relay;
}

test("an account is made and deleted once", async (t) => {
  const relay = await startRelay(t);
  const { client } = await newClient(t, { endpoint: relay.endpoint });
  const made = async () => (await client.send(new ListAccountsCommand({}))).Accounts;

  relay.toLose = 2;
  const account = await created(client, "My");
  assert.deepEqual(relay.statuses.splice(0), [201, 201, 201]);
  assert.deepEqual(await made(), [account]);

  relay.toLose = 1;
  await client.send(new CreateAccountCommand({ Name: "My" }));
  assert.equal((await made()).length, 2);

  relay.statuses.splice(0);
  relay.toLose = 2;
  await client.send(new DeleteAccountCommand({ AccountId: account.AccountId }));
  assert.deepEqual(relay.statuses, [204, 204, 204]);
});
