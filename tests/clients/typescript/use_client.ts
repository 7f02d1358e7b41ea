// Uses the generated types as another team's program would; ends with an error where they do not fit the API.
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

declare const process: { argv: string[] };

const EMAIL = "typescript@example.org";
const [baseUrl = "", key = ""] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });

function holds(fact: boolean, about: unknown): asserts fact {
  if (!fact) throw new Error(`not as expected: ${JSON.stringify(about)}`);
}

function answered<T>(answer: { data?: T; error?: unknown }): T {
  holds(answer.data !== undefined, answer.error);
  return answer.data;
}

async function finished(id: string) {
  for (let n = 0; n < 2400; n++) {
    const batch = answered(await client.GET("/v1/batches/{id}", { params: { path: { id } } }));
    if (batch.finished_at) return batch;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`batch ${id} did not finish`);
}

const imported = answered(
  await client.POST("/v1/imports", {
    params: { query: { file_name: "people.csv" } },
    headers: { "Content-Type": "text/csv" },
    body: `email,first_name\n${EMAIL},Ada\n`,
    bodySerializer: (csv) => csv as string,
  }),
);
holds(imported.created === 1 && imported.problems.length === 0, imported);

const users = answered(await client.GET("/v1/users", { params: { query: { import: imported.id ?? "" } } }));
const user = users.items[0];
holds(user?.email === EMAIL && user.first_name === "Ada", users);

const once = { params: { header: { "Idempotency-Key": crypto.randomUUID() } }, body: { users: [user.id] } };
const accepted = answered(await client.POST("/v1/invites", once));
const again = answered(await client.POST("/v1/invites", once));
holds(accepted.accepted === 1 && again.batch === accepted.batch, accepted);
const batch = await finished(accepted.batch);
holds(batch.counts.sent === 1, batch);

const ofBatch = { params: { path: { id: accepted.batch } } };
const line = answered(await client.GET("/v1/batches/{id}/deliveries", ofBatch)).items[0];
holds(line?.state === "sent" && line.attempt_count === 1, line);
const story = answered(await client.GET("/v1/deliveries/{id}", { params: { path: { id: line.id } } }));
holds(story.attempts.length === 1 && story.attempts[0]?.verdict === "accepted", story);

const wrong = answered(await client.POST("/v1/credentials/verify", { body: { email: EMAIL, password: "wrong" } }));
holds(wrong.valid === false, wrong);
const nobody = { params: { path: { id: "00000000-0000-0000-0000-000000000000" } } };
const { error } = await client.GET("/v1/users/{id}", nobody);
holds(error?.status === 404, error);
console.log("TypeScript: every answer fits its type");
